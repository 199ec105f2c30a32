// The box for questions: the question goes to the server, the answer comes back below it.
const button = () => element.querySelector("button");
document.addEventListener("submit", (event) => {
  if (!element.contains(event.target)) return;
  event.preventDefault();
  const box = element.querySelector("#gg-question");
  if (!box?.value.trim()) { box?.focus(); return; }
  if (button().disabled) return;
  button().disabled = true;
  button().textContent = "Asking…";
  trigger("submit", { question: box.value });
}, true);
new MutationObserver((changes) => {
  if (!button()?.disabled) return;
  if (!changes.some((one) => one.target.closest?.("#gg-part-answer"))) return;
  button().disabled = false;
  button().textContent = "Ask";
}).observe(document.body, { childList: true, subtree: true });
