"""The terminal chat: the same runner as the page, so that every answer here is a row in the log, too."""

from __future__ import annotations

import contextlib
import re
import signal
import sys
from collections.abc import Iterator
from typing import Any, Protocol

from rich.console import Console

from app.live import RunUpdate
from app.records import RunLabels
from app.run import Run
from app.services import Services, close_services, open_services
from app.settings import Settings
from metrics.run_log import RunLogError
from providers.chat import ChatConversation
from providers.errors import ConfigurationError, ProviderError
from providers.registry import resolve_or_converse
from providers.types import GenerationRequest, InferenceConfig, Message

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
WORDS_TO_LEAVE = frozenset({"exit", "quit"})
MAX_MESSAGES = 20


def chat(settings: Settings) -> int:
    """Talks until `exit`, `quit` or the end of the input. Gives 1 where the last answer failed, else 0."""
    try:
        services = open_services(settings)
    except (ConfigurationError, RunLogError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    try:
        return _Chat(settings, services).talk()
    finally:
        close_services(services)


class _Chat:
    """One conversation. The answer goes to standard output, everything else to the terminal only, or to stderr."""

    def __init__(self, settings: Settings, services: Services) -> None:
        self._settings = settings
        self._runner = services.runner
        self._model_id = settings.model or services.backends.default_model()
        self._out = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._err = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._conversation = ChatConversation(MAX_MESSAGES)
        self._failed = False

    def talk(self) -> int:
        self._aside(f"Talking with {self._model_id}. Ctrl-C stops an answer, exit ends.")
        for line in self._lines():
            if line.strip().lower() in WORDS_TO_LEAVE:
                break
            if line.strip():
                self._turn(line)
        return int(self._failed)

    def _lines(self) -> Iterator[str]:
        if not sys.stdin.isatty():
            yield from (line.rstrip("\n") for line in sys.stdin)
            return
        while True:
            try:
                yield self._out.input("\n› ")
            except KeyboardInterrupt:
                self._out.print()  # nothing is being said: nothing to stop
            except EOFError:
                self._out.print()
                return

    def _turn(self, question: str) -> None:
        history = [*self._conversation.get_formatted_messages(), {"role": "user", "content": question}]
        if len(history) > 1 and history[-2]["role"] == "user":
            del history[-2]  # it got no answer
        try:
            run = self._runner.start(self._request(history), RunLabels(mode="stream"))
        except ProviderError as error:
            self._fail(str(error))
            return
        last = self._show(run)
        self._conversation.add_message("user", question)
        if last.text:
            self._conversation.add_message("assistant", last.text)
        self._failed = last.failure is not None
        if last.failure is not None:
            self._fail(last.failure.sentence)
        else:
            self._aside(_figures(last))

    def _show(self, run: Run) -> RunUpdate:
        shown = resets = 0
        for update in until_ctrl_c(run):
            if update.resets > resets:
                shown, resets = 0, update.resets
                sys.stdout.write("\n[The answer was cut and begins again.]\n")
            sys.stdout.write(self._shown(update.text[shown:]))
            sys.stdout.flush()
            shown = len(update.text)
        sys.stdout.write("\n")
        return run.snapshot()

    def _shown(self, text: str) -> str:
        """The model's own text: as it is into a pipe, without what would steer a terminal on one."""
        return _CONTROLS.sub("", text) if self._out.is_terminal else text

    def _request(self, history: list[dict[str, str]]) -> GenerationRequest:
        _, api = resolve_or_converse(
            self._model_id,
            f"{self._model_id} is no model that is known here. `playground.py models` lists what can be chosen; on "
            "Bedrock any full model id or ARN can be given.",
        )
        return GenerationRequest(
            model_id=self._model_id,
            api=api,
            messages=tuple(
                Message(role="assistant" if turn["role"] == "assistant" else "user", text=turn["content"])
                for turn in history
            ),
            system=self._settings.system,
            inference=InferenceConfig(max_tokens=self._settings.max_tokens, temperature=self._settings.temperature),
        )

    def _aside(self, words: str) -> None:
        """What a person likes to see and a pipe must not."""
        if self._out.is_terminal:
            self._out.print(words, style="dim")

    def _fail(self, sentence: str) -> None:
        self._failed = True
        with contextlib.suppress(BrokenPipeError):
            self._err.print(sentence, style="red")


class _Stoppable(Protocol):
    """What is wanted of a run here."""

    def __iter__(self) -> Iterator[RunUpdate]: ...

    def cancel(self) -> None: ...


def until_ctrl_c(run: _Stoppable) -> Iterator[RunUpdate]:
    """The updates of a run. Ctrl-C meanwhile stops the answer and not the program.

    A handler, because an exception could strike anywhere in the drawing. It only leaves word: it may interrupt this
    thread while it holds the lock that stopping needs. The loop looks at every update.
    """
    interrupted = False

    def stop(*_: Any) -> None:
        nonlocal interrupted
        interrupted = True

    before = signal.signal(signal.SIGINT, stop)
    try:
        for update in run:
            if interrupted:
                run.cancel()
            yield update
    finally:
        signal.signal(signal.SIGINT, before)


def _figures(update: RunUpdate) -> str:
    record = update.record
    first = "–" if update.first_text_s is None else f"{update.first_text_s:.2f} s"
    rate = record.decode_tokens_per_s if record else None
    tokens = "–" if update.tokens is None else f"{'' if update.tokens_reported else '≈ '}{update.tokens}"
    stopped = "stopped · " if update.state == "stopped" else ""
    speed = "–" if rate is None else f"{rate:.0f}"
    total = "–" if record is None or record.duration_s is None else f"{record.duration_s:.2f} s"
    queued = f"queued {update.queued_s:.2f} s · " if update.queued_s and update.queued_s >= 0.01 else ""
    return f"{stopped}{queued}first text {first} · {speed} tok/s · {tokens} tokens · {total} total"
