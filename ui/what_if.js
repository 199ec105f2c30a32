// The what-if form: whatever is changed goes to the server, the table comes back; focus stays.
const table = () => document.getElementById("gg-part-what_if_rows");
const form = () => element.querySelector("form");
let held = null, touched = false, line = null;
const inLine = () => line ??= window.goblin.inTurn((question) => trigger("submit", question));

function picked() {
  return [...element.querySelectorAll('input[name="cards"]:checked')].map((box) => box.value);
}
function ask() {
  if (!form()) return;
  const said = { cards: picked(), prices: {} };
  for (const field of form().querySelectorAll("input:not([type=checkbox])")) said[field.name] = field.value;
  for (const field of table()?.querySelectorAll("[data-price]") ?? []) {
    if (field.dataset.yours === "1") said.prices[field.dataset.price] = field.value;
  }
  touched = true;
  inLine().ask(said);
}
// The address keeps the cards, so that a link shows the same table.
function keepCards() {
  const url = new URL(location.href);
  if (!url.searchParams.has("audit") && !url.searchParams.has("sample")) return;
  url.searchParams.set("cards", picked().join(","));
  url.search = url.search.replaceAll("%2C", ",");
  history.replaceState(null, "", url);
}
function fromAddress() {
  const named = new URLSearchParams(location.search).get("cards");
  if (!named || !form()) return;
  const wanted = new Set(named.split(","));
  let moved = false;
  for (const box of element.querySelectorAll('input[name="cards"]')) {
    moved ||= box.checked !== wanted.has(box.value);
    box.checked = wanted.has(box.value);
  }
  if (moved && wanted.size) ask();
}
document.addEventListener("change", (event) => {
  const field = event.target;
  if (field.matches?.("#gg-part-what_if_rows [data-price]")) {
    field.dataset.yours = field.value.trim() ? "1" : "0";
    ask();
  } else if (element.contains(field) && field.matches("input")) {
    if (field.name === "cards") keepCards();
    ask();
  }
});
// A table drawn anew takes the focus with it: it goes back to the price it was on.
document.addEventListener("focusin", (event) => {
  held = event.target.matches("#gg-part-what_if_rows [data-price]") ? event.target.dataset.price : null;
});
new MutationObserver(() => {
  const turn = table()?.querySelector("[data-turn]");
  if (turn) { const shown = Number(turn.dataset.turn); turn.remove(); setTimeout(() => inLine().answered(shown)); }
  // An edit was switched: the table came back as if nobody had asked.
  const anew = table()?.querySelector("[data-first]");
  if (anew) { anew.removeAttribute("data-first"); if (touched) ask(); }
  if (!held || document.activeElement !== document.body) return;
  const field = table()?.querySelector(`[data-price="${CSS.escape(held)}"]`);
  field?.focus({ preventScroll: true });
}).observe(document.body, { childList: true, subtree: true });
watch("value", () => { touched = false; fromAddress(); });
fromAddress();
