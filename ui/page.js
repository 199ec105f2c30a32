// What a page of HTML parts needs beside Gradio: copy, press, chart labels, clocks, focus.
(() => {
  const COPIED_MS = 2000;
  const textOf = (node) => {
    if (node.dataset.address) return new URL(node.dataset.address, location.href).href;
    const box = node.matches("input, textarea") ? node : node.querySelector("input, textarea");
    return box ? box.value : node.textContent;
  };

  async function copy(button) {
    const source = document.getElementById(button.dataset.copy);
    const label = button.querySelector("span");
    if (!source || !label) return;
    const before = button.dataset.label || label.textContent;
    button.dataset.label = before;
    try {
      await navigator.clipboard.writeText(textOf(source));
      label.textContent = "Copied";
    } catch {
      label.textContent = "Copy failed";
    }
    setTimeout(() => { label.textContent = before; }, COPIED_MS);
  }

  // Which audits this browser owns. Read and written key by key, so that two tabs never lose a token.
  const OWNED = "gpu-goblin-owned", MAX_OWNED = 200;
  let unkept = {};
  function owned() {
    try { return { ...unkept, ...JSON.parse(localStorage.getItem(OWNED) || "{}") }; } catch { return unkept; }
  }
  function store(tokens) {
    try { localStorage.setItem(OWNED, JSON.stringify(tokens)); } catch { unkept = tokens; }
  }
  function keep(tokens) {
    if (!tokens) return;
    store(Object.fromEntries(Object.entries({ ...owned(), ...tokens }).slice(-MAX_OWNED)));
  }
  function forget(ids) {
    store(Object.fromEntries(Object.entries(owned()).filter(([id]) => !ids.includes(id))));
    for (const id of ids) delete unkept[id];
  }
  // The choice of edits that the page shows; the address keeps it, so that a reload does too.
  function choice() {
    const holder = document.querySelector("#gg-part-findings [data-off]");
    return { off: holder?.dataset.off || "", on: holder?.dataset.on || "" };
  }
  function addChoice(url) {
    for (const [name, rules] of Object.entries(choice())) {
      if (rules) url.searchParams.set(name, rules); else url.searchParams.delete(name);
    }
    url.search = url.search.replaceAll("%2C", ",");
    return url;
  }
  function keepChoice() {
    const url = new URL(location.href);
    if (!url.searchParams.has("audit") && !url.searchParams.has("sample")) return;
    if (!document.querySelector("#gg-part-findings [data-off]")) return;
    if (addChoice(url).href !== location.href) history.replaceState(null, "", url);
  }
  // Questions to the server one at a time, the newest waiting: answers never overtake each other.
  const PATIENCE_MS = 8000;
  function inTurn(send) {
    let turn = 0, asked = 0, next = null;
    const go = () => {
      const question = next;
      [asked, next] = [question.turn, null];
      send(question);
      setTimeout(() => answered(question.turn), PATIENCE_MS);
    };
    const answered = (shown) => {
      if (!asked || shown < asked) return;
      asked = 0;
      if (next) go();
    };
    const ask = (said) => { next = { ...said, turn: ++turn }; if (!asked) go(); };
    return { ask, answered, newest: (shown) => shown >= turn };
  }
  window.goblin = { owned, keep, forget, choice, addChoice, inTurn };

  // A theme that the address asks for stays on the way between the pages.
  const theme = new URLSearchParams(location.search).get("__theme");
  if (theme) document.addEventListener("click", (event) => {
    const link = event.target.closest?.(".gg a[href^='./']");
    if (!link) return;
    const url = new URL(link.href);
    url.searchParams.set("__theme", theme);
    link.href = url.href;
  }, true);

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-copy], [data-press]");
    if (!button) return;
    if (button.dataset.copy) copy(button);
    else (document.querySelector(`button#${button.dataset.press}, #${button.dataset.press} button`))?.click();
  });

  // Unified or side by side: one choice for all patches, remembered by this browser.
  const WAY = "gpu-goblin-diff";
  let way = "unified";
  try { way = localStorage.getItem(WAY) || way; } catch { /* storage may be closed */ }
  function showWay() {
    for (const button of document.querySelectorAll("[data-diff-way]")) {
      const pressed = String(button.dataset.diffWay === way);
      if (button.getAttribute("aria-pressed") !== pressed) button.setAttribute("aria-pressed", pressed);
    }
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-diff-way]");
    if (!button) return;
    way = button.dataset.diffWay;
    try { localStorage.setItem(WAY, way); } catch { /* as above */ }
    const top = button.getBoundingClientRect().top;
    showWay();
    window.scrollBy({ top: button.getBoundingClientRect().top - top, behavior: "instant" });
  });

  // A chart is one picture to a screen reader; its words stand in the caption before it.
  function labelCharts() {
    for (const caption of document.querySelectorAll(".gg-caption[data-chart]")) {
      const plot = document.querySelector(`#gg-chart-${caption.dataset.chart} .js-plotly-plot`);
      if (plot && plot.getAttribute("aria-label") !== caption.dataset.alt) {
        plot.setAttribute("role", "img");
        plot.setAttribute("aria-label", caption.dataset.alt);
      }
    }
  }

  // Charts that were drawn while hidden get their width when they appear.
  const widths = new ResizeObserver((entries) => {
    for (const { target, contentRect } of entries) {
      const plot = target.querySelector(".js-plotly-plot"), drawn = plot?._fullLayout?.width;
      if (!drawn || contentRect.width === 0 || Math.abs(drawn - contentRect.width) < 1) continue;
      window.Plotly?.Plots.resize(plot);
    }
  });
  const watched = new WeakSet();
  // Most of a screen ahead of the reader is time enough to draw them, one in each idle moment; see
  // charts.js. While the page is put together everything stands at its top: it is asked again then.
  const AHEAD = 0.75, idle = window.requestIdleCallback ?? ((done) => setTimeout(done, 300));
  const isNear = (slot) =>
    slot.querySelector(".gg-caption") && slot.getBoundingClientRect().top < window.innerHeight * (1 + AHEAD);
  const slots = new IntersectionObserver((entries) => {
    const met = entries.filter((one) => one.isIntersecting).map((one) => one.target);
    const look = () => {
      const slot = met.shift();
      if (slot && !slot.dataset.near && isNear(slot)) {
        slot.dataset.near = "1";
        slots.unobserve(slot);
        slot.dispatchEvent(new Event("goblin-near", { bubbles: true }));
      }
      if (met.length) idle(look);
    };
    setTimeout(() => idle(look), 100);
  }, { rootMargin: `0px 0px ${100 * AHEAD}% 0px` });

  let view = null;
  function follow() {
    for (const holder of document.querySelectorAll(".gg-plot, .gg-slot")) {
      if (watched.has(holder)) continue;
      watched.add(holder);
      (holder.matches(".gg-plot") ? widths : slots).observe(holder);
    }
    labelCharts();
    showWay();
    if (view === "report") keepChoice();
    const now = document.querySelector("#gg-part-view [data-view]")?.dataset.view ?? null;
    if (now === view) return;
    const first = view === null;
    view = now;
    if (first) return;
    window.scrollTo({ top: 0, behavior: "instant" });
    const target = now === "trouble" ? "#gg-part-trouble h2" : "#gg-headline";
    requestAnimationFrame(() => {
      const heads = [...document.querySelectorAll(target)];
      heads.find((head) => head.offsetParent !== null)?.focus({ preventScroll: now !== "trouble" });
    });
  }
  let queued = false;
  new MutationObserver(() => {
    if (queued) return;
    queued = true;
    requestAnimationFrame(() => { queued = false; follow(); });
  }).observe(document.documentElement, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-view"] });

  // Running clocks count here, so that the server sends only what was found.
  const clock = (seconds) => seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, "0")} s`;
  setInterval(() => {
    for (const node of document.querySelectorAll("[data-since]")) {
      const started = Date.parse(node.dataset.since);
      if (!Number.isNaN(started)) node.textContent = clock(Math.max(0, Math.round((Date.now() - started) / 1000)));
    }
  }, 1000);
})();
