// The box for questions: the question goes to the server, the answer comes back below it.
let turn = 0;
const button = () => element.querySelector("button");
document.addEventListener("submit", (event) => {
  if (!element.contains(event.target)) return;
  event.preventDefault();
  const box = element.querySelector("#gg-question");
  if (!box?.value.trim()) { box?.focus(); return; }
  if (button().disabled) return;
  button().disabled = true;
  button().textContent = "Asking…";
  trigger("submit", { question: box.value, turn: ++turn });
}, true);
new MutationObserver(() => {
  if (!button()?.disabled) return;
  const answered = document.querySelector("#gg-part-answer [data-turn]");
  if (Number(answered?.dataset.turn) !== turn) return;
  button().disabled = false;
  button().textContent = "Ask";
}).observe(document.body, { childList: true, subtree: true });
