// The knowledge base without reloading: links and the form change the results in place, and the address
// with them. Each of them works as an ordinary link or form where this does not run.
const TYPING_MS = 250;
const holder = () => element.querySelector(".gg-kb");
let opening = null, timer = 0;

const ask = (url, kind) => {
  opening = kind;
  trigger("submit", { query: url.search, form: kind === "form" || kind === "back" });
};
const go = (url, kind, keep) => {
  const theme = new URLSearchParams(location.search).get("__theme");
  if (theme) url.searchParams.set("__theme", theme);
  if (url.href !== location.href) history[keep ? "replaceState" : "pushState"](null, "", url);
  ask(url, kind);
};
const read = (form) => {
  const url = new URL("./kb", location.href);
  for (const [name, value] of new FormData(form)) if (value) url.searchParams.set(name, value);
  return url;
};

document.addEventListener("click", (event) => {
  const link = event.target.closest?.(".gg-kb a[href], .gg-ask a[href]");
  if (!link || link.origin !== location.origin || link.pathname !== location.pathname || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  go(new URL(link.href), link.dataset.knowledge || "entry", false);
});
document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-knowledge]")) return;
  event.preventDefault();
  clearTimeout(timer);
  go(read(event.target), "list", false);
});
document.addEventListener("input", (event) => {
  const form = event.target.closest?.("form[data-knowledge]");
  if (!form) return;
  clearTimeout(timer);
  timer = setTimeout(() => go(read(form), "list", true), event.target.matches("select") ? 0 : TYPING_MS);
});
window.addEventListener("popstate", () => ask(new URL(location.href), "back"));

watch("value", () => {
  const title = holder()?.dataset.title;
  if (title) document.title = `${title} · GPU Goblin`;
  if (opening === "entry") {
    const head = element.querySelector("#gg-entry-title");
    head?.focus({ preventScroll: true });
    const top = element.getBoundingClientRect().top;
    if (head && (top < 0 || matchMedia("(max-width: 820px)").matches)) head.closest(".gg-full").scrollIntoView({ block: "start" });
  }
  opening = null;
});
