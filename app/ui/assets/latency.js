// Tab Latency: a problem is also marked at its widget, and the elements have names.
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

  const look = () => {
    if ($("page")?.dataset.tab !== "latency") return;
    name();
    for (const box of document.querySelectorAll(".numeric :is(input, textarea)")) box.setAttribute("inputmode", "decimal");
    mark();
    refocus();
  };
  const watched = { childList: true, subtree: true, attributes: true, attributeFilter: ["disabled", "data-tab"] };
  new MutationObserver(look).observe(document.documentElement, watched);
})();
