// What the page does in the browser. The server draws; this remembers the conversation's key, keeps the newest text in
// view, and answers to keys and small buttons. Nothing here knows a model's text but to copy it.
window.playground = (() => {
  const KEY = "playground.conversation";
  const THEME = "playground.theme";
  const NEAR_PX = 80;
  const $ = (id) => document.getElementById(id);
  const root = () => $("page") || document.body; // Gradio lets the style sheet reach no further up than this
  const input = () => document.querySelector("#chat-prompt textarea, #chat-prompt input");
  const phone = () => window.matchMedia("(max-width: 860px)").matches;

  let ask = () => {}; // set when the history is there
  let following = true;
  let wasBusy = false;
  let followed = "";
  let problemShown = "";

  // --- the conversation's key: this tab's own, kept over a reload ---
  const store = (name, value) => {
    try {
      value === undefined ? sessionStorage.removeItem(name) : sessionStorage.setItem(name, value);
    } catch {} // a browser that keeps nothing starts afresh each time
  };
  const read = (name) => {
    try {
      return sessionStorage.getItem(name) || "";
    } catch {
      return "";
    }
  };
  const key = () => read(KEY);
  let keyIsThere;
  const keyed = new Promise((resolve) => (keyIsThere = resolve)); // a page that was just opened has none yet
  const keep = (value) => {
    store(KEY, value);
    keyIsThere(value);
    if (!restored) requestAnimationFrame(() => toNewest(60));
    restored = true;
  };

  // --- a page that is opened again begins at the newest answer; a browser's own memory of the place is for pages that
  // are whole at once ---
  let restored = false;
  history.scrollRestoration = "manual";
  let touched = false;
  for (const type of ["wheel", "touchmove", "pointerdown", "keydown"]) {
    document.addEventListener(type, () => (touched = true), { once: true, passive: true, capture: true });
  }
  const toNewest = (frames) => {
    // For a second, because Gradio draws it bit by bit; or until the person does something.
    if (!frames || touched || root().dataset.tab !== "chat" || busy()) return;
    const end = document.scrollingElement.scrollHeight;
    if (document.querySelector("#chat-history .turn")) window.scrollTo({ top: end, behavior: "instant" });
    requestAnimationFrame(() => toNewest(frames - 1));
  };

  // --- a key is one page's: a tab that is duplicated gets a copy of all that the first one stored ---
  const KEYS = [KEY, "playground.comparison"];
  const ANSWER_MS = 400; // Gradio takes longer than this to draw the page: nobody waits for it
  const keys = () => KEYS.map(read).filter(Boolean);
  const born = performance.timeOrigin + Math.random();
  const alone = new Promise((resolve) => {
    if (!window.BroadcastChannel) return resolve();
    const pages = new BroadcastChannel("playground.pages");
    pages.addEventListener("message", ({ data }) => {
      if (data.asks && data.born > born) {
        const taken = keys().filter((one) => data.asks.includes(one));
        if (taken.length) pages.postMessage({ taken, by: data.born });
      } else if (data.by === born) {
        KEYS.filter((name) => data.taken.includes(read(name))).forEach((name) => store(name));
        resolve();
      }
    });
    const asks = keys();
    if (!asks.length) return resolve();
    pages.postMessage({ asks, born });
    setTimeout(resolve, ANSWER_MS);
  });

  // --- the model that was chosen last, in this tab ---
  const MODEL = "playground.model";
  const choose = (model) => {
    store(MODEL, model || undefined);
    requestAnimationFrame(() => requestAnimationFrame(showName));
  };
  const chosen = (model) => {
    try {
      return sessionStorage.getItem(MODEL) || model;
    } catch {
      return model;
    }
  };

  // --- and the numbers and the mode: never a text, so of what was typed only what is a number ---
  const NUMBERS = "playground.numbers";
  const isNumber = (value) => value === null || Number.isFinite(Number(value)); // an empty box is the model's own
  let remembering = false; // Gradio tells of its own first values, too
  const keepNumbers = (mode, ...numbers) => {
    if (remembering) store(NUMBERS, JSON.stringify([mode, ...numbers.map((one) => (isNumber(one) ? one : ""))]));
  };
  const keptNumbers = (...shown) => {
    remembering = true;
    const kept = read(NUMBERS);
    return kept ? JSON.parse(kept) : shown;
  };

  // --- a name that is longer than its box stands below it, too ---
  const showName = () => {
    const box = document.querySelector("#model input");
    if (!box) return;
    let line = $("model-name");
    if (!line) {
      line = Object.assign(document.createElement("p"), { id: "model-name", className: "note" });
      $("model").after(line);
    }
    line.textContent = box.scrollWidth > box.clientWidth ? box.value : "";
  };

  // --- light and dark ---
  const isDark = () => document.body.classList.contains("dark");
  const showTheme = () => {
    const button = document.querySelector('[data-act="theme"]');
    if (button) button.setAttribute("aria-pressed", String(isDark()));
  };
  const setTheme = (dark) => {
    document.body.classList.toggle("dark", dark);
    showTheme();
  };
  const startTheme = () => {
    let chosen = null;
    try {
      chosen = localStorage.getItem(THEME);
    } catch {}
    if (chosen) setTheme(chosen === "dark");
    showTheme();
  };
  const toggleTheme = () => {
    setTheme(!isDark());
    try {
      localStorage.setItem(THEME, isDark() ? "dark" : "light");
    } catch {}
  };

  // --- settings: a column on a desk, a drawer on a phone ---
  const settingsOpen = () => !root().classList.contains("settings-closed");
  const showSettings = (open) => {
    root().classList.toggle("settings-closed", !open);
    root().classList.toggle("settings-open", open);
    const button = document.querySelector('[data-act="settings"]');
    if (button) button.setAttribute("aria-expanded", String(open));
    if (open) showName(); // a box that is not shown has no width
    if (open && phone()) $("settings")?.querySelector("input, textarea, button")?.focus();
  };

  // --- what is shown while an answer runs ---
  const strip = () => document.querySelector("#chat-strip .strip");
  const busy = () => strip()?.dataset.busy === "true";
  const liveAnswer = () => document.querySelector("#chat-live .answer.live");
  const target = () => {
    // Where the page must be scrolled to for the newest text: its end stands just above the dock.
    const page = document.scrollingElement;
    const end = page.scrollHeight - window.innerHeight;
    const live = liveAnswer();
    if (!live?.closest(".pair")) return end;
    const over = live.getBoundingClientRect().bottom - $("dock").getBoundingClientRect().top + 24;
    return Math.max(0, Math.min(end, page.scrollTop + over));
  };
  const nearBottom = () => target() - document.scrollingElement.scrollTop < NEAR_PX;
  const follow = () => {
    const to = target();
    const run = liveAnswer()?.dataset.mode || "";
    // Only ever down, but for the second answer of two, which begins higher up than the first one ended.
    if (to > document.scrollingElement.scrollTop || run !== followed) document.scrollingElement.scrollTop = to;
    followed = run;
  };
  const toBottom = () => {
    followed = "";
    follow();
  };
  const showJump = () => $("jump")?.classList.toggle("shown", !following && !nearBottom());
  const painted = () => {
    const now = busy();
    heard(now);
    root().classList.toggle("busy", now);
    $("chat-output")?.setAttribute("aria-busy", String(now));
    if (now && !wasBusy) {
      following = true;
      if (document.activeElement === document.body || $("chat-send")?.contains(document.activeElement)) focusPrompt();
    }
    if (!now && wasBusy) {
      refill();
      if (document.activeElement === document.body || $("chat-stop")?.contains(document.activeElement)) focusPrompt();
    }
    if ((now || wasBusy) && following && root().dataset.tab === "chat") follow();
    wasBusy = now;
    showProblem();
    showJump();
  };
  // --- a server that answers no more: the answer has stopped moving, and Gradio says so only in a corner ---
  const SILENCE_MS = 3000; // while an answer is open something comes several times a second
  const ASK_EVERY_MS = 2000;
  let heardAt = 0;
  let asking = 0;
  let lastWords = null;
  const heard = (open) => {
    heardAt = performance.now();
    lastWords = null; // the strip was drawn anew
    showLost(false);
    if (!open) asking = clearInterval(asking) || 0;
    else asking ||= setInterval(askIfSilent, ASK_EVERY_MS);
  };
  const serverAnswers = async () => {
    try {
      return (await fetch("healthz", { cache: "no-store", signal: AbortSignal.timeout(ASK_EVERY_MS) })).ok;
    } catch {
      return false;
    }
  };
  const askIfSilent = async () => {
    const before = heardAt;
    if (performance.now() - before < SILENCE_MS) return;
    const answers = await serverAnswers();
    if (heardAt === before) showLost(!answers);
  };
  const showLost = (lost) => {
    if (lost === root().classList.contains("lost")) return;
    root().classList.toggle("lost", lost);
    $("chat-stop").disabled = lost;
    if (lost) {
      lastWords = strip().cloneNode(true);
      strip().dataset.state = "stalled";
      strip().querySelector(".word").textContent = "stalled";
      strip().querySelector(".detail").textContent = "the server does not answer";
      strip().querySelector("[role=status]").textContent = "The server does not answer.";
    } else if (lastWords) strip().replaceWith(lastWords);
  };
  const focusPrompt = () => {
    if (!phone()) input()?.focus({ preventScroll: true });
  };

  // --- a problem also stands at the widget that it is about ---
  const showProblem = () => {
    const line = document.querySelector("#chat-problem .problem");
    const said = line ? line.dataset.field + line.textContent : "";
    if (said === problemShown) return;
    problemShown = said;
    document.querySelectorAll(".field-problem").forEach((old) => old.remove());
    document.querySelectorAll(".invalid").forEach((old) => old.classList.remove("invalid"));
    document.querySelectorAll("[aria-invalid]").forEach((old) => old.removeAttribute("aria-invalid"));
    if (!line) return;
    const field = $(line.dataset.field === "prompt" ? "chat-prompt" : line.dataset.field);
    if (!field) return;
    field.classList.add("invalid");
    field.querySelectorAll("input, textarea").forEach((widget) => widget.setAttribute("aria-invalid", "true"));
    if (line.dataset.field === "prompt") return focusPrompt();
    const copy = document.createElement("p");
    copy.className = "field-problem";
    copy.textContent = line.textContent;
    field.after(copy);
  };

  // --- the prompt ---
  const setPrompt = (text) => {
    const box = input();
    if (!box) return;
    box.value = text;
    box.dispatchEvent(new Event("input", { bubbles: true }));
  };
  // A question was taken: what was typed goes, unless it came from a button, which may also have chosen the mode.
  const accepted = (told, prompt, mode) => {
    if (!told) return [prompt, mode];
    const taken = JSON.parse(told);
    const refused = strip()?.dataset.refill === "true"; // so soon that this comes after it
    if (taken.clear && !refused) setTimeout(refill, 100); // or while this is on its way to the box
    return [taken.clear && !refused ? "" : prompt, taken.mode ?? mode];
  };
  const refill = () => {
    // The service refused the question before a word came: it is put back, unless something new was typed.
    if (strip()?.dataset.refill !== "true" || input()?.value) return;
    const questions = document.querySelectorAll("#chat-history .question .bubble");
    if (questions.length) setPrompt(questions[questions.length - 1].textContent);
  };

  // --- small buttons ---
  const copyText = async (text, button) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const box = document.createElement("textarea"); // pages that are not served securely have no clipboard
      box.value = text;
      box.className = "sr-only";
      document.body.append(box);
      box.select();
      document.execCommand("copy");
      box.remove();
      button.focus();
    }
    button.classList.add("copied");
    setTimeout(() => button.classList.remove("copied"), 1200);
  };
  const edit = (question, turn) => {
    if (question.querySelector("textarea")) return;
    const bubble = question.querySelector(".bubble");
    const form = document.createElement("form");
    form.className = "editing";
    const box = document.createElement("textarea");
    box.value = bubble.textContent;
    box.rows = Math.min(10, Math.max(2, box.value.split("\n").length));
    box.setAttribute("aria-label", "Edit the question");
    const send = Object.assign(document.createElement("button"), { type: "submit", textContent: "Ask again" });
    const cancel = Object.assign(document.createElement("button"), { type: "button", textContent: "Cancel" });
    const close = () => {
      form.remove();
      question.classList.remove("is-editing");
      question.querySelector('[data-act="edit"]')?.focus();
    };
    cancel.addEventListener("click", close);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const prompt = box.value;
      close();
      ask({ turn, prompt });
    });
    box.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        event.stopPropagation();
        close();
      } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        form.requestSubmit();
      }
    });
    form.append(box, send, cancel);
    question.classList.add("is-editing");
    question.append(form);
    box.focus();
  };
  const act = (button) => {
    const turn = Number(button.closest(".turn")?.dataset.turn) || undefined;
    switch (button.dataset.act) {
      case "copy": {
        const answer = button.closest(".answer");
        const text = answer ? answer.dataset.raw : button.closest(".question")?.querySelector(".bubble").textContent;
        return copyText(text || "", button);
      }
      case "copy-code":
        return copyText(button.closest(".code").querySelector("code").textContent, button);
      case "edit":
        return edit(button.closest(".question"), turn);
      case "again":
        return ask({ turn });
      case "sample":
        return ask({ prompt: button.querySelector(".sample-prompt").textContent, mode: button.dataset.mode });
      case "theme":
        return toggleTheme();
      case "settings":
        return showSettings(!settingsOpen());
      case "jump":
        following = true;
        toBottom();
        return showJump();
    }
  };
  const actions = (element, send) => {
    ask = (data) => {
      if (!busy()) send(data);
    };
    start();
  };

  // --- the rest of the page ---
  const left = {}; // where each tab was left: a new one begins at its top
  const leave = () => {
    left[root().dataset.tab] = { top: window.scrollY, following };
  };
  const tab = (name) => {
    if (name === root().dataset.tab) return;
    root().dataset.tab = name;
    requestAnimationFrame(() => {
      const place = left[name] || { top: 0, following };
      following = place.following;
      if (name === "chat" && busy() && following) toBottom();
      else window.scrollTo({ top: place.top });
      showJump();
    });
  };
  const download = (id) => {
    // The link is drawn a moment after the file is known.
    const click = (tries) => {
      const link = $(id)?.closest("a") || $(id)?.querySelector("a") || $(id);
      if (link?.href || tries === 0) link?.click();
      else setTimeout(() => click(tries - 1), 50);
    };
    click(40);
  };
  const saved = {};
  const downloadNew = (id, sign, tries = 100) => {
    // This button bears the name of its file, known by `sign`, which is drawn a moment after it is known. A file that
    // was saved before is never saved in its place: it may hold texts that this one must not.
    const button = $(id);
    const name = button?.textContent.trim() || "";
    if (name.includes(sign) && name !== saved[id]) {
      saved[id] = name;
      button.click();
    } else if (tries) {
      setTimeout(() => downloadNew(id, sign, tries - 1), 50);
    }
  };
  const NAMES = {
    "chat-output": ["region", "Conversation"],
    "chat-prompt": ["group", "Prompt"],
    "runs-table": ["region", "Table of runs"],
    model: ["group", "Model"],
    temperature: ["group", "Temperature"],
    "max-tokens": ["group", "Max tokens"],
    "top-p": ["group", "Top-p"],
    "system-prompt": ["group", "System prompt"],
    mode: ["group", "Answer mode"],
    settings: ["region", "Settings"],
  };
  const name = () => {
    document.querySelector("#top-p :is(input, textarea)")?.setAttribute("inputmode", "decimal");
    for (const [id, [role, label]] of Object.entries(NAMES)) {
      const element = $(id);
      if (!element || element.hasAttribute("aria-label")) continue;
      if (!element.hasAttribute("role") && element.tagName !== "FIELDSET") element.setAttribute("role", role);
      element.setAttribute("aria-label", label);
    }
  };
  let started = false;
  const start = () => {
    if (started) return;
    started = true;
    root().dataset.tab = "chat";
    startTheme();
    showSettings(!phone());
    name();
    const jump = document.createElement("button");
    Object.assign(jump, { id: "jump", type: "button", textContent: "Jump to latest" });
    jump.dataset.act = "jump";
    ($("dock") || document.body).prepend(jump);
    new MutationObserver(name).observe($("main") || document.body, { childList: true, subtree: true });
  };

  document.addEventListener(
    "click",
    (event) => {
      if (event.target.closest?.("#tabs > .tab-wrapper [role=tab]")) leave();
    },
    true,
  );
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-act]");
    if (button) act(button);
    else if (phone() && settingsOpen() && !event.target.closest("#settings, .top, ul.options, [role=listbox]")) {
      showSettings(false);
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.isComposing) return;
    if (phone() && settingsOpen()) showSettings(false);
    else if (busy()) $("chat-stop")?.click();
  });
  for (const type of ["keydown", "keypress"]) {
    // Enter that picks a word of an input method must not send.
    document.addEventListener(
      type,
      (event) => {
        if (event.key === "Enter" && (event.isComposing || event.keyCode === 229) && event.target === input()) {
          event.stopImmediatePropagation();
        }
      },
      true,
    );
  }
  document.addEventListener("focusout", ({ target }) => {
    // Gradio 6.31 opens a list a frame after any key in its field, also where the field was left by then: for good.
    if (!target.matches?.("[role=combobox], input[role=listbox]")) return;
    const close = () => {
      const open = target.getAttribute("aria-expanded") === "true" && target !== document.activeElement;
      if (open) target.dispatchEvent(new FocusEvent("blur"));
    };
    requestAnimationFrame(() => setTimeout(close));
  });
  document.addEventListener(
    "blur",
    (event) => {
      // Gradio would quietly put the nearest allowed number in its place; the server says what is wrong with it.
      if (event.target.matches?.("#temperature input[type=number]")) event.stopImmediatePropagation();
    },
    true,
  );
  window.addEventListener("scroll", () => {
    if (busy() && root().dataset.tab === "chat") following = nearBottom();
    showJump();
  }, { passive: true });
  window.matchMedia("(max-width: 860px)").addEventListener("change", (query) => showSettings(!query.matches));

  return {
    ...{ accepted, alone, key, keyed, keep, choose, chosen, keepNumbers, keptNumbers },
    ...{ painted, actions, tab, download, downloadNew },
  };
})();
