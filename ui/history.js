// The history without reloading: filter and ticks happen here, deleting asks once inside its row.
const rows = () => [...element.querySelectorAll("tr[data-audit]")];
const MOST = 4;
let said = "", picked = new Set();

function filter(tell) {
  const words = said.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const row of rows()) {
    row.hidden = !words.every((word) => row.dataset.text.includes(word));
    shown += !row.hidden;
  }
  const none = element.querySelector("[data-none]");
  if (none) none.hidden = shown > 0;
  const status = document.querySelector("#gg-part-status [role=status]");
  if (tell && status) status.textContent = `${shown} of ${rows().length} audits shown`;
}
function pick() {
  const ids = rows().map((row) => row.dataset.audit).filter((id) => picked.has(id));
  for (const box of element.querySelectorAll("[data-pick]")) {
    const row = box.closest("tr");
    box.checked = picked.has(row.dataset.audit);
    row.classList.toggle("gg-picked", box.checked);
  }
  const link = element.querySelector("#gg-compare");
  if (!link) return;
  const ready = ids.length >= 2 && ids.length <= MOST;
  link.textContent = ids.length > MOST ? `Compare: ${MOST} at most` : ids.length > 1 ? `Compare ${ids.length}` : "Compare two or more";
  link.setAttribute("aria-disabled", String(!ready));
  if (ready) link.href = `./compare?${ids.map((id, place) => `${"abcd"[place]}=${id}`).join("&")}`;
  else link.removeAttribute("href");
}
function close(row, focus) {
  row.querySelector(".gg-confirm").hidden = true;
  const button = row.querySelector("[data-delete]");
  button.hidden = false;
  if (focus) button.focus();
}
function localTimes() {
  const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
  const hour = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
  for (const node of element.querySelectorAll("time")) {
    const then = new Date(node.dateTime);
    const today = then.toDateString() === new Date().toDateString();
    node.textContent = `${today ? "Today" : day.format(then)} ${hour.format(then)}`;
    node.title = node.dateTime;
  }
}

element.addEventListener("input", (event) => {
  if (event.target.id !== "gg-filter") return;
  said = event.target.value;
  filter(true);
});
element.addEventListener("change", (event) => {
  if (!event.target.matches("[data-pick]")) return;
  const id = event.target.closest("tr").dataset.audit;
  if (event.target.checked) picked.add(id); else picked.delete(id);
  pick();
});
element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  const row = button?.closest("tr[data-audit]");
  if (!row) return;
  if (button.matches("[data-delete]")) {
    for (const other of rows()) if (other !== row) close(other, false);
    button.hidden = true;
    row.querySelector(".gg-confirm").hidden = false;
    row.querySelector("[data-keep]").focus();
  } else if (button.matches("[data-keep]")) close(row, true);
  else if (button.matches("[data-sure]")) {
    picked.delete(row.dataset.audit);
    trigger("submit", { delete: row.dataset.audit });
  }
});
element.addEventListener("keydown", (event) => {
  const row = event.target.closest?.("tr[data-audit]");
  if (event.key === "Escape" && row && !row.querySelector(".gg-confirm").hidden) close(row, true);
});
function drawn() {
  const gone = element.querySelector("[data-forget]")?.dataset.forget;
  if (gone) window.goblin.forget([gone]);
  const box = element.querySelector("#gg-filter");
  if (box) box.value = said;
  localTimes();
  filter(false);
  pick();
  if (gone) (element.querySelector("tr[data-audit]:not([hidden]) a") || element.querySelector("a"))?.focus();
}
watch("value", drawn);
drawn();
