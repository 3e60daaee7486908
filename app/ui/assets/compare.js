// What tab Compare does in the browser: the key of the comparison, small buttons, keys, which pane a phone shows, and
// keeping the newest text in view. The server draws.
window.playground.compare = (() => {
  const KEY = "playground.comparison";
  const PANES = 6;
  const NEAR_PX = 40;
  const $ = (id) => document.getElementById(id);
  const root = () => $("compare");
  const here = () => $("page")?.dataset.tab === "compare";
  const busy = () => root()?.dataset.busy === "true";
  const panes = () => [...document.querySelectorAll("#compare .pane")];

  // --- the key: this tab's own, kept over a reload ---
  let ownKey = "";
  const key = () => {
    try {
      ownKey = ownKey || sessionStorage.getItem(KEY) || "";
    } catch {} // a browser that keeps nothing starts afresh each time
    if (!ownKey) {
      const bytes = crypto.getRandomValues(new Uint8Array(16));
      ownKey = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      try {
        sessionStorage.setItem(KEY, ownKey);
      } catch {}
    }
    return ownKey;
  };
  let wasOpened = false;
  const opened = async () => {
    // The comparison is asked for once a page: afterwards the page has it.
    window.playground.tab("compare");
    if (wasOpened) return "";
    wasOpened = true;
    await window.playground.alone;
    return key();
  };

  // --- what the drawn parts say ---
  let wasBusy = false;
  let toShow = false; // all have ended, and the table is not there yet
  let moved = false; // somebody scrolled while the answers came
  let due = false;
  const painted = () => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      show();
    });
  };
  const set = (element, name, value) => {
    if (element && element.dataset[name] !== value) element.dataset[name] = value;
  };
  const show = () => {
    const compare = root();
    const state = document.querySelector("#compare .compare-state");
    if (!compare || !state) return;
    for (const name of ["busy", "panes", "blind", "asked"]) set(compare, name, state.dataset[name]);
    const letters = state.dataset.letters;
    panes().forEach((pane, at) => {
      // The letter of a blind race stays at its answer when the names are told, also when other panes go.
      set(pane, "letter", letters[at] || "");
      const letter = pane.querySelector(".pane-top .letter");
      if (letter && letters[at] && letter.textContent !== letters[at]) letter.textContent = letters[at];
    });
    name();
    panes().forEach((pane) => {
      const strip = pane.querySelector(".pane-strip");
      const wasLive = pane.dataset.live === "true";
      set(pane, "live", strip?.dataset.live || "false");
      if (wasLive && pane.dataset.live === "false") follow(pane); // the end is drawn anew, and stays in view
      pane.querySelector(".block.pane-output")?.setAttribute("aria-busy", pane.dataset.live);
      pane.querySelector('[data-act="pane-settings"]')?.setAttribute("aria-expanded", String(pane.matches(".open")));
    });
    if (Number(compare.dataset.shown || 0) >= Number(state.dataset.panes)) compare.dataset.shown = "0";
    showTab(Number(compare.dataset.shown || 0));
    const now = busy();
    if (now && !wasBusy) {
      panes().forEach(clear);
      moved = false;
    }
    toShow = (toShow || wasBusy) && !now;
    if (toShow) showTable();
    if (now) panes().filter((pane) => pane.dataset.live === "true").forEach(follow);
    if (now !== wasBusy && ["compare-run", "compare-stop"].some((id) => $(id)?.contains(document.activeElement))) {
      focusPrompt();
    }
    wasBusy = now;
  };
  const showTable = () => {
    // What was found stands below the answers: it is brought above the prompt once, unless somebody reads elsewhere.
    const table = $("compare-summary")?.querySelector(".compare-table, .ballot")?.closest("#compare-summary");
    if (!table) return;
    toShow = false;
    if (moved || !here()) return;
    const box = table.getBoundingClientRect();
    const below = box.bottom - $("compare-dock").getBoundingClientRect().top;
    const above = box.top - document.querySelector("#tabs > .tab-wrapper").getBoundingClientRect().bottom;
    window.scrollBy({ top: Math.max(0, Math.min(below, above)) });
  };
  for (const type of ["wheel", "touchmove"]) {
    document.addEventListener(type, () => (moved = true), { capture: true, passive: true });
  }
  const clear = (pane) => {
    delete pane.dataset.loose;
    // A list of models that was typed in very quickly stays open in Gradio 6.31, and would lie over the answer.
    const list = pane.querySelector("[role=listbox]");
    const model = pane.querySelector(".pane-model input");
    if (list && model !== document.activeElement) model?.dispatchEvent(new FocusEvent("blur"));
  };
  const focusPrompt = () => {
    if (!window.matchMedia("(max-width: 860px)").matches) box()?.focus({ preventScroll: true });
  };

  // --- the newest text stays in view, unless somebody scrolled up ---
  const follow = (pane) => {
    const output = pane.querySelector(".block.pane-output");
    if (!output || pane.dataset.loose) return;
    output.scrollTop = output.scrollHeight;
    output.dataset.top = output.scrollTop;
  };
  document.addEventListener(
    "scroll",
    (event) => {
      const output = event.target;
      if (!output.matches?.("#compare .block.pane-output")) return;
      const up = output.scrollTop < Number(output.dataset.top || 0) - 2;
      const near = output.scrollHeight - output.clientHeight - output.scrollTop < NEAR_PX;
      if (up && !near) output.closest(".pane").dataset.loose = "true";
      else if (near) delete output.closest(".pane").dataset.loose;
      output.dataset.top = output.scrollTop;
    },
    { capture: true, passive: true },
  );

  // --- one pane at a time, on a phone ---
  const showTab = (chosen) => {
    set(root(), "shown", String(chosen));
    panes().forEach((pane, at) => set(pane, "chosen", String(at === chosen)));
    document.querySelectorAll("#compare .pane-tabs [role=tab]").forEach((tab, at) => {
      const selected = String(at === chosen);
      if (tab.getAttribute("aria-selected") !== selected) tab.setAttribute("aria-selected", selected);
      tab.tabIndex = at === chosen ? 0 : -1;
    });
  };

  // --- names for those who listen ---
  const call = (element, role, label) => {
    if (!element || element.getAttribute("aria-label") === label) return;
    if (element.tagName !== "FIELDSET") element.setAttribute("role", role);
    element.setAttribute("aria-label", label);
  };
  const BUTTONS = { "pane-stop": "Stop", "pane-settings": "Settings of", "pane-remove": "Remove", "pane-again": "Retry" };
  const nameButtons = (at) => {
    // A button says what it is about: its pane and the model that is chosen there, or the letter of a blind race.
    const pane = $(`pane-${at}`);
    const blind = root()?.dataset.blind === "true";
    const model = $(`pane-${at}-model`)?.querySelector("input")?.value.split(" (")[0];
    const about = blind ? `pane ${pane?.dataset.letter}` : [`pane ${at}`, model].filter(Boolean).join(", ");
    for (const button of pane?.querySelectorAll("[data-act]") || []) {
      const label = BUTTONS[button.dataset.act] && `${BUTTONS[button.dataset.act]} ${about}`;
      if (!label || button.title === label) continue;
      button.title = label;
      button.setAttribute("aria-label", label);
    }
  };
  const name = () => {
    for (let at = 1; at <= PANES; at += 1) {
      nameButtons(at);
      call($(`pane-${at}`), "group", `Pane ${at}`);
      call($(`pane-${at}-model`), "group", `Model of pane ${at}`);
      call($(`pane-${at}-output`), "region", `Answer of pane ${at}`);
      call($(`pane-${at}-stats`), "group", `Figures of pane ${at}`);
    }
    call($("compare-prompt"), "group", "Prompt for all panes");
    call($("compare-order"), "group", "Order");
  };

  // --- a report as a file ---
  const download = () => window.playground.downloadNew("compare-file", "/");

  // --- small buttons and keys ---
  const box = () => document.querySelector("#compare-prompt textarea, #compare-prompt input");
  const run = () => {
    if (!busy()) $("compare-run")?.click();
  };
  let send = () => {};
  const paneOf = (button) => panes().indexOf(button.closest(".pane"));
  const act = (button) => {
    const pane = button.dataset.pane === undefined ? paneOf(button) : Number(button.dataset.pane);
    switch (button.dataset.act) {
      case "pane-stop":
        return send("stop", { pane });
      case "pane-remove":
        return send("delete", { pane });
      case "pane-again":
        return busy() ? undefined : send("retry", { pane });
      case "pane-settings": {
        const open = button.closest(".pane").classList.toggle("open");
        return button.setAttribute("aria-expanded", String(open));
      }
      case "pane-tab":
        return showTab(pane);
      case "vote": {
        const choice = button.dataset.choice;
        return send("like", { choice: choice === "tie" ? choice : Number(choice) });
      }
      case "reveal":
        return send("undo", {});
      case "compare-report":
        return send("download", { texts: button.dataset.texts !== "false" });
      case "compare-sample": {
        const prompt = box();
        if (!prompt || busy()) return;
        prompt.value = button.querySelector(".sample-prompt").textContent;
        prompt.dispatchEvent(new Event("input", { bubbles: true }));
        return setTimeout(run, 0);
      }
    }
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("#compare [data-act]");
    if (button) act(button);
  });
  document.addEventListener("keydown", (event) => {
    if (!here() || event.isComposing) return;
    if (event.key === "Escape" && busy()) $("compare-stop")?.click();
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      run();
    }
    const tab = event.target.closest?.("#compare .pane-tabs [role=tab]");
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (tab && step) {
      const tabs = [...tab.parentElement.children];
      const next = (tabs.indexOf(tab) + step + tabs.length) % tabs.length;
      showTab(next);
      tabs[next].focus();
    }
  });
  const actions = (_element, trigger) => {
    send = trigger;
    requestAnimationFrame(show);
  };

  return { key, opened, painted, actions, download };
})();
