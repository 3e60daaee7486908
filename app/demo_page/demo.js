// Streams an answer with the browser's own EventSource, or asks for it as a whole. Copy it with the page beside it.
//
// The server sends unnamed events with {"text"} for each piece, then one {"done": true, …} or {"error": …}. Named
// events tell more: status, progress, reset. When the connection breaks, EventSource comes back by itself with
// Last-Event-ID and the server goes on where it was: no piece is lost, none comes twice, and the model is not asked
// again.
"use strict";

const RECONNECTS = 3;
const $ = (id) => document.getElementById(id);

let source = null; // the open EventSource
let request = null; // the AbortController of a complete answer
let breaks = 0; // connection breaks since the last event that came
let quietUntil = 0; // "restored" stays readable until then
let ended = true;

// --- what the person sees ---

function show(state, words = state) {
  const status = $("status");
  if (status.textContent === words) return;
  status.dataset.state = state;
  status.textContent = words;
}

function begin(words) {
  ended = false;
  breaks = 0;
  $("answer").textContent = "";
  $("answer").setAttribute("aria-busy", "true");
  $("error").hidden = true;
  $("figures").textContent = "";
  $("progress").removeAttribute("value"); // no number yet: the bar only says that something is going on
  $("stream").disabled = $("complete").disabled = true;
  $("cancel").disabled = false;
  show("waiting", words);
}

function finish(state, words) {
  if (ended) return;
  ended = true;
  source?.close();
  request?.abort();
  source = request = null;
  $("answer").classList.remove("typing");
  $("answer").setAttribute("aria-busy", "false");
  $("progress").value = state === "done" ? 1 : 0;
  $("stream").disabled = $("complete").disabled = false;
  const hadFocus = document.activeElement === $("cancel");
  $("cancel").disabled = true;
  if (hadFocus) $("stream").focus();
  show(state, words);
}

function fail(sentence) {
  finish("failed", "failed");
  $("error").textContent = sentence;
  $("error").hidden = false;
}

function number(value, digits = 1) {
  return typeof value === "number" ? value.toFixed(digits) : "–";
}

function done(told) {
  const first = told.metrics?.time_to_visible_s;
  $("figures").textContent = `first text ${number(first, 2)} s · total ${number(told.latency, 2)} s`;
  finish("done", told.stop_reason === "max_tokens" ? "done, the limit was reached" : "done");
}

// --- streaming ---

function stream() {
  if (!ended || !$("form").reportValidity()) return;
  const query = new URLSearchParams({ prompt: $("prompt").value, max_tokens: $("max-tokens").value, stream: "true" });
  if ($("model").value) query.set("model_id", $("model").value);
  const url = `api/generate?${query}`;
  begin("connecting");
  source = new EventSource(url);
  source.onopen = () => (breaks ? restored() : show("waiting", "waiting for the first text"));
  source.onmessage = (event) => piece(JSON.parse(event.data));
  source.addEventListener("status", (event) => status(JSON.parse(event.data)));
  source.addEventListener("progress", (event) => progress(JSON.parse(event.data)));
  source.addEventListener("reset", () => {
    $("answer").textContent = "";
  });
  source.onerror = () => broken(url);
}

function piece(told) {
  if (told.text !== undefined) {
    $("answer").append(told.text); // as text: markup in an answer stays what it is
    $("answer").classList.add("typing");
    breaks = 0;
    if (performance.now() > quietUntil) show("streaming");
  } else if (told.done) {
    done(told);
  } else {
    fail(told.error);
  }
}

function status({ state, attempt, of, wait_s: wait }) {
  if (state === "stalled") show("stalled", "stalled: nothing has come for a while");
  else if (state === "retrying") show("waiting", `trying again in ${number(wait)} s, ${attempt} of ${of}`);
  else if (state === "reconnecting") show("waiting", `the model's stream broke: ${attempt} of ${of}`);
  else if (state === "resumed") restored();
}

function restored() {
  quietUntil = performance.now() + 1500;
  show("streaming", "restored");
}

function progress({ fraction, eta_s: eta, rate }) {
  if (typeof fraction === "number") $("progress").value = fraction;
  const left = typeof eta === "number" && eta >= 1 ? ` · about ${Math.round(eta)} s left` : "";
  $("figures").textContent = typeof rate === "number" ? `≈ ${number(rate, 0)} tokens/s${left}` : "";
}

function broken(url) {
  if (ended || !source) return;
  if (source.readyState === EventSource.CLOSED) {
    source.close();
    refusal(url);
    return;
  }
  breaks += 1;
  $("answer").classList.remove("typing");
  if (breaks > RECONNECTS) fail(`The connection was lost and did not come back in ${RECONNECTS} tries.`);
  else show("waiting", `reconnecting ${breaks} of ${RECONNECTS}`);
}

// EventSource tells nothing of a refusal but that there was one; its sentence has to be asked for. What was refused
// once is refused again before any model is asked; should it go through this time, it is left at once.
async function refusal(url) {
  const asked = new AbortController();
  try {
    const answer = await fetch(url, { signal: asked.signal });
    fail(answer.ok ? "The connection was refused. Try again." : (await answer.json()).error);
  } catch {
    fail("The server cannot be reached. Is it still running?");
  } finally {
    asked.abort();
  }
}

// --- the whole answer at once ---

async function complete() {
  if (!ended || !$("form").reportValidity()) return;
  begin("waiting for the whole answer");
  request = new AbortController();
  const body = { prompt: $("prompt").value, max_tokens: Number($("max-tokens").value) };
  if ($("model").value) body.model_id = $("model").value;
  try {
    const answer = await fetch("api/generate", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      signal: request.signal,
    });
    const told = await answer.json();
    if (!answer.ok) return fail(told.error);
    $("answer").textContent = told.text;
    done(told);
  } catch (error) {
    if (error.name !== "AbortError") fail("The server cannot be reached. Is it still running?");
  }
}

function cancel() {
  finish("cancelled", "cancelled");
}

// --- wiring ---

async function models() {
  try {
    const told = await (await fetch("api/models")).json();
    for (const model of told.models) $("model").append(new Option(model.label, model.id, false, model.id === told.default));
  } catch {
    $("model").append(new Option("the default model", ""));
  }
}

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  stream();
});
$("complete").addEventListener("click", complete);
$("cancel").addEventListener("click", cancel);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") cancel();
  else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) stream();
});
window.addEventListener("pagehide", cancel);
models();
