// Plays a logged run again at its true speed, without a model. It works on any element with `data-replay` (JSON, made by
// app/ui/replay.py), on the page and in a report that has no server. What is shown is always computed from the moment
// that it is, so that nothing drifts; a browser that sleeps goes on where the clock is. While it plays text is set as
// text; at its end an answer is drawn as the server made it, out of a template.
window.playgroundReplay = (() => {
  const HALF_FRAME_MS = 8; // a chunk is shown at the frame that is nearest to it, not at the first one after it
  const NEAR_PX = 24;
  const seconds = (ms) => (ms < 999.5 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`);
  const clock = (ms) => `${(ms / 1000).toFixed(1)} s`;

  // A box whose text only ever grows while it plays; each growth is appended, the rest of it stays as it is. What comes
  // piece by piece is followed to its end, what comes at once is read from its beginning. `drawn` is a template.
  const textBox = (box, text, follows, drawn) => {
    if (!box) return () => {};
    const node = document.createTextNode("");
    box.replaceChildren(node);
    return (length, over) => {
      const draw = Boolean(over && drawn && length === text.length && length);
      const isDrawn = box.firstChild !== node;
      if (draw === isDrawn && (draw || length === node.length)) return;
      const follow = follows && box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_PX;
      if (length > node.length) node.appendData(text.slice(node.length, length));
      else if (length < node.length) node.data = text.slice(0, length);
      if (draw !== isDrawn) {
        box.classList.toggle("md", draw);
        box.replaceChildren(draw ? drawn.content.cloneNode(true) : node);
      }
      if (follow) box.scrollTop = box.scrollHeight;
    };
  };

  const setUp = (root) => {
    root.dataset.ready = "true";
    const run = JSON.parse(root.dataset.replay);
    const { steps, duration_ms: duration } = run;
    const find = (selector) => root.querySelector(selector);
    const play = find('[data-do="play"]');
    const range = find("input[type=range]");
    const says = find("[role=status]");
    const clocks = find(".replay-clock");
    const panes = ["streamed", "whole"].map((name) => {
      const pane = find(`[data-pane="${name}"]`);
      return {
        pane,
        note: pane?.querySelector(".replay-note"),
        text: textBox(pane?.querySelector(".replay-text"), run.text, name === "streamed", find(".replay-drawn")),
        thought: textBox(pane?.querySelector(".replay-thought"), run.thought, name === "streamed"),
      };
    });
    let from = 0; // ms of the run at the moment `since` of performance.now()
    let since = 0;
    let speed = 1;
    let playing = false;

    const position = () => (playing ? Math.min(duration, from + (performance.now() - since) * speed) : from);

    const shown = (at) => {
      // How many steps are due: by halving, because one may jump anywhere.
      let low = 0;
      let high = steps.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (steps[middle][0] <= at) low = middle + 1;
        else high = middle;
      }
      return low ? steps[low - 1] : [0, 0, 0];
    };

    const put = (target, value) => {
      if (target && target.textContent !== value) target.textContent = value;
    };

    const paint = (at) => {
      const over = at >= duration;
      const lead = playing ? HALF_FRAME_MS * speed : 0;
      const [streamed, whole] = panes;
      const [, text, thought] = over && steps.length ? [0, run.text.length, run.thought.length] : shown(at + lead);
      streamed.text(text, over);
      streamed.thought(thought);
      streamed.pane?.setAttribute("data-state", over ? run.state : text ? "streaming" : "waiting");
      const first = steps.find((step) => step[1] > 0);
      put(streamed.note, over ? run.ended : text ? `first text after ${seconds(first[0])}` : `waiting ${clock(at)}`);
      const all = over && run.whole;
      whole.text(all ? run.text.length : 0, over);
      whole.thought(all ? run.thought.length : 0);
      whole.pane?.setAttribute("data-state", over ? run.state : "waiting");
      put(whole.note, over ? run.whole_ended : `waiting ${clock(at)}`);
      range.value = at;
      const now = `${clock(at)} of ${clock(duration)}`;
      if (clocks.textContent === now) return; // ten times a second is enough for what is read
      clocks.textContent = now;
      range.setAttribute("aria-valuetext", now);
    };

    const frame = () => {
      if (!playing || !root.isConnected) return;
      const at = position();
      paint(at);
      if (at >= duration) stop(`Replay ended. ${run.ended}`);
      else requestAnimationFrame(frame);
    };
    const show = () => {
      play.textContent = playing ? "Pause" : "Play";
      root.dataset.playing = playing;
    };
    const stop = (words) => {
      from = position();
      playing = false;
      says.textContent = words;
      show();
    };
    const start = () => {
      if (from >= duration) from = 0;
      since = performance.now();
      playing = true;
      says.textContent = "Replay is playing.";
      show();
      frame();
    };
    const seek = (at) => {
      from = Math.max(0, Math.min(duration, at));
      since = performance.now();
      paint(from);
    };
    const setSpeed = (value) => {
      from = position();
      since = performance.now();
      speed = value;
      for (const button of root.querySelectorAll("[data-speed]")) {
        button.setAttribute("aria-pressed", String(Number(button.dataset.speed) === value));
      }
    };

    root.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      if (button.dataset.speed) setSpeed(Number(button.dataset.speed));
      else if (button.dataset.do === "play") playing ? stop("Replay paused.") : start();
      else if (button.dataset.do === "restart") {
        seek(0);
        start();
      }
    });
    range.addEventListener("input", () => seek(Number(range.value)));
    range.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 }[event.key];
      if (!way) return;
      event.preventDefault();
      seek(position() + (way * duration) / 50);
    });
    range.max = duration;
    if (root.dataset.play === "true") start();
    else seek(duration); // until somebody plays it, it can be read
  };

  // All replays of a report from their beginning, at one moment: whose answer was sooner is seen.
  document.addEventListener("click", (event) => {
    if (!event.target.closest('[data-do="play-all"]')) return;
    for (const again of document.querySelectorAll('[data-replay] [data-do="restart"]')) again.click();
  });

  const scan = () => document.querySelectorAll("[data-replay]:not([data-ready])").forEach(setUp);
  const watch = () => {
    scan();
    new MutationObserver(scan).observe(document.body, { childList: true, subtree: true });
  };
  if (document.body) watch();
  else document.addEventListener("DOMContentLoaded", watch);
  return { scan };
})();
