// A finding's box: what is ticked goes to the server, patch and figures come back; focus and scroll stay.
let held = null, line = null;
const pending = new Map();  // what was ticked since the answer that is shown
const inLine = () => line ??= window.goblin.inTurn((question) => trigger("submit", question));

const boxes = () => [...element.querySelectorAll("input[data-rule]")];
const place = (rule) => element.querySelector(`input[data-rule="${CSS.escape(rule)}"]`);
const ask = (rule, on) => {
  const wanted = boxes().filter((box) => box.dataset.wanted === "1").map((box) => box.dataset.rule);
  inLine().ask({ wanted, rule, on });
};

document.addEventListener("change", (event) => {
  const box = event.target;
  if (!element.contains(box) || !box.matches("input[data-rule]")) return;
  box.dataset.wanted = box.checked ? "1" : "0";
  pending.set(box.dataset.rule, box.checked);
  held = { rule: box.dataset.rule, top: box.getBoundingClientRect().top };
  ask(box.dataset.rule, box.checked);
});
// The way back undoes exactly what the address holds.
document.addEventListener("click", (event) => {
  if (!event.target.closest?.("[data-switch-back]")) return;
  const { off, on } = element.querySelector("[data-off]").dataset;
  const wanted = new Set(boxes().filter((box) => box.dataset.wanted === "1").map((box) => box.dataset.rule));
  for (const rule of off.split(",")) if (rule) wanted.add(rule);
  for (const rule of on.split(",")) wanted.delete(rule);
  for (const box of boxes()) box.dataset.wanted = wanted.has(box.dataset.rule) ? "1" : "0";
  const first = (off || on).split(",")[0], box = place(first);
  held = box && { rule: first, top: box.getBoundingClientRect().top };
  ask("", false);
});

watch("value", () => {
  const shown = Number(element.querySelector("[data-turn]")?.dataset.turn ?? Infinity);
  if (inLine().newest(shown)) pending.clear();
  // Once the event is over: Gradio sends the first question again for one that is asked meanwhile.
  setTimeout(() => inLine().answered(shown));
  for (const [rule, on] of pending) {
    const box = place(rule);
    if (box) { box.checked = on; box.dataset.wanted = on ? "1" : "0"; }
  }
  if (!held) return;
  const { rule, top } = held;
  held = null;
  place(rule)?.focus({ preventScroll: true });
  // The verdict above may have grown or shrunk: what the hand is on stays where it is.
  const steady = (left) => {
    const box = place(rule);
    if (box) window.scrollBy({ top: box.getBoundingClientRect().top - top, behavior: "instant" });
    if (left) requestAnimationFrame(() => steady(left - 1));
  };
  requestAnimationFrame(() => steady(6));
});
