// Tab Runs in the browser: a click on a header sorts the whole log, not the page of it that the table holds; a file is
// saved once it is there; a row that was opened is brought into view; what is deleted is asked for once.
window.playgroundRuns = (() => {
  const $ = (id) => document.getElementById(id);
  const HEADER = "#runs-table th.header-cell";
  let sort = () => {};

  const told = () => $("runs-count")?.querySelector("[data-sort]")?.dataset;
  const sortable = (title) => (told()?.titles || "").split("|").includes(title);
  const mark = () => {
    const order = told()?.sort || "";
    for (const cell of document.querySelectorAll(HEADER)) {
      const way = order.slice(0, -2) === cell.title ? order.slice(-1) : "";
      if (!sortable(cell.title)) cell.removeAttribute("aria-sort");
      else cell.setAttribute("aria-sort", { "↓": "descending", "↑": "ascending" }[way] || "none");
    }
  };
  const sortBy = (event) => {
    const cell = event.target.closest?.(HEADER);
    if (!cell) return;
    event.stopPropagation(); // the table would sort the rows that it has
    event.preventDefault();
    if (sortable(cell.title)) sort(cell.title);
  };
  document.addEventListener("click", sortBy, true);
  document.addEventListener(
    "keydown",
    (event) => {
      if (event.key === "Enter" || event.key === " ") sortBy(event);
    },
    true,
  );

  const table = (element, send) => {
    sort = send;
    new MutationObserver(mark).observe(element, { childList: true, subtree: true });
    const rows = $("runs-table");
    if (rows) new MutationObserver(mark).observe(rows, { childList: true, subtree: true });
  };
  const showNew = (element, selector) => {
    // What is new is brought into the lower half of the window, once; the table above it stays in reach.
    let shown = null;
    const look = () => {
      const card = element.querySelector(selector);
      if (card === shown) return;
      shown = card;
      const over = (card?.getBoundingClientRect().top || 0) - window.innerHeight * 0.5;
      if (over > window.innerHeight * 0.2) window.scrollBy({ top: over });
    };
    new MutationObserver(look).observe(element, { childList: true, subtree: true });
  };
  const deleting = (element, send, selector = "[data-delete-all]") => {
    // A question that is not answered closes again; an answer counts once, until something came of it.
    element.addEventListener("click", (event) => {
      const button = event.target.closest(selector);
      const question = event.target.closest(".forget");
      if (event.target.closest("[data-keep]")) question.open = false;
      if (!button || button.getAttribute("aria-busy") === "true") return;
      button.setAttribute("aria-busy", "true");
      send();
    });
  };
  const deleted = () => {
    document.querySelectorAll(".forget [aria-busy]").forEach((button) => button.removeAttribute("aria-busy"));
  };
  const details = (element, send) => {
    element.addEventListener("click", (event) => {
      if (event.target.closest("[data-close]")) send("close");
    });
    deleting(element, () => send("delete"), "[data-delete]");
    showNew(element, ".chosen");
    if ($("replay")) showNew($("replay"), ".replay");
  };
  const preparing = () => $("runs-export")?.setAttribute("aria-busy", "true");
  const download = () => {
    $("runs-export")?.removeAttribute("aria-busy");
    window.playground.downloadNew("runs-file", ".");
  };
  return { table, details, deleting, deleted, preparing, download };
})();
