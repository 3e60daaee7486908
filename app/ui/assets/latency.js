// Tab Latency: a problem is also marked at its widget, the elements have names, and what somebody waits for comes into
// view.
(() => {
  const $ = (id) => document.getElementById(id);
  const NAMES = {
    "experiment-models": ["group", "Models"],
    "experiment-prompts": ["group", "Prompts"],
    "experiment-progress": ["region", "Progress of the experiment"],
    "experiment-verdict": ["region", "Verdict of the experiment"],
    "experiment-plot": ["region", "Plots of the experiment"],
    "experiment-pairs-table": ["region", "Pairs of the experiment"],
  };
  const name = () => {
    for (const [id, [role, label]] of Object.entries(NAMES)) {
      const element = $(id);
      if (!element || element.hasAttribute("aria-label")) continue;
      if (!element.hasAttribute("role") && element.tagName !== "FIELDSET") element.setAttribute("role", role);
      element.setAttribute("aria-label", label);
    }
  };

  // Gradio calls these by their place ("Remove 0").
  const nameTags = () => {
    for (const button of document.querySelectorAll("#experiment-models .token-remove:not(.remove-all)")) {
      const label = `Remove ${button.parentElement.querySelector("span")?.textContent.trim() || "the model"}`;
      if (button.getAttribute("aria-label") === label) continue;
      button.setAttribute("aria-label", label);
      button.title = label;
    }
  };

  let shown = "";
  const mark = () => {
    const line = document.querySelector("#experiment-problem .problem");
    const said = line ? line.dataset.field + line.textContent : "";
    if (said === shown) return;
    shown = said;
    for (const old of document.querySelectorAll("#experiment-form .invalid")) {
      old.classList.remove("invalid");
      for (const widget of old.querySelectorAll("[aria-invalid]")) widget.removeAttribute("aria-invalid");
    }
    const field = line?.dataset.field && $(line.dataset.field);
    if (!field) return;
    field.classList.add("invalid");
    for (const widget of field.querySelectorAll("input, textarea")) widget.setAttribute("aria-invalid", "true");
  };

  // Run and Stop take turns: where one is switched off under the keyboard's focus, the focus goes to the other.
  let focused = "";
  document.addEventListener("focusin", (event) => (focused = event.target.id || ""));
  const refocus = () => {
    const other = { "experiment-run": "experiment-stop", "experiment-stop": "experiment-run" }[focused];
    if (other && $(focused)?.disabled && !$(other)?.disabled) $(other).focus({ preventScroll: true });
  };

  // The form is long, on a phone longer than the screen: who pressed Run sees the progress, and at its end the verdict.
  // Nobody is moved who types, or who scrolled meanwhile to read elsewhere.
  const ROOM_PX = 240; // so much of it is seen at least where the page stays as it is
  let waits = false; // Run was pressed on this page, and its experiment is awaited
  let state = "idle";
  document.addEventListener("click", (event) => (waits = Boolean(event.target.closest?.("#experiment-run")) || waits));
  for (const type of ["wheel", "touchmove"]) {
    document.addEventListener(type, () => (waits &&= state !== "running"), { capture: true, passive: true });
  }
  const types = () => document.activeElement?.matches("textarea, input:not([type=radio], [type=checkbox])");
  const bring = (id) => {
    const top = document.querySelector("#tabs > .tab-wrapper").getBoundingClientRect().bottom;
    const box = $(id).getBoundingClientRect();
    if (types() || (box.top >= top && box.top < window.innerHeight - ROOM_PX)) return;
    window.scrollBy({ top: box.top - top - 8 });
  };
  const follow = () => {
    const now = document.querySelector(".experiment-progress")?.dataset.state || state;
    const before = state;
    state = now;
    if (now === before || !waits) return;
    if (now !== "running") waits = false;
    requestAnimationFrame(() => bring(now === "running" ? "experiment-progress" : "experiment-verdict"));
  };

  const look = () => {
    if ($("page")?.dataset.tab !== "latency") return;
    name();
    nameTags();
    for (const box of document.querySelectorAll(".numeric :is(input, textarea)")) box.setAttribute("inputmode", "decimal");
    mark();
    refocus();
    follow();
  };
  const watched = { childList: true, subtree: true, attributes: true };
  watched.attributeFilter = ["disabled", "data-tab", "data-state"];
  new MutationObserver(look).observe(document.documentElement, watched);
})();
