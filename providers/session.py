"""A streamed answer that survives cuts: a thin shell over `retry.py` for people who call from Python."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from typing import Any

from providers import arguments
from providers.client import BedrockClient, TextCallback, drain, reporting
from providers.retry import RetryPolicy
from providers.types import Resumed, RetryScheduled, TextDelta


class StreamingSession:
    """One streamed answer that survives cuts.

    Where the model continues an open assistant turn, a cut answer goes on from there; where it does not and
    `on_reset` is given, `on_reset()` is called (the text so far is void) and the answer begins again; without it the
    interruption is raised. `max_attempts` counts the first one.
    """

    def __init__(
        self,
        client: BedrockClient,
        model_id: str,
        prompt: str,
        callback: TextCallback | None = None,
        max_attempts: int = 3,
        *,
        on_reset: Callable[[], object] | None = None,
        **options: Any,
    ) -> None:
        self._client = client
        self._model_id = model_id
        self._prompt = prompt
        self._callback = callback
        self._on_reset = on_reset
        self._options = options
        self.max_attempts = arguments.whole_number(max_attempts, "max_attempts", least=1)
        self.attempt = 0
        self.complete_text = ""
        self.is_complete = False

    def start(self) -> str:
        """Runs to the end and returns the whole text. Raises as `BedrockClient.generate_text` does."""
        callback = self._callback or _nothing
        return drain(reporting(self._pieces, callback), callback, self._on_reset or _nothing)

    def _pieces(self) -> Generator[str | None, None, str]:
        """The pieces; `None` where a new answer begins."""
        self.attempt, self.complete_text, self.is_complete = 1, "", False
        request = self._client.request(self._model_id, self._prompt, **self._options)
        policy = RetryPolicy(attempts=self.max_attempts, resume=True, restart=self._on_reset is not None)
        with contextlib.closing(self._client.events(request, stream=True, policy=policy)) as events:
            for event in events:
                match event:
                    case TextDelta(text):
                        self.complete_text += text
                        yield text
                    case RetryScheduled(attempt=attempt):
                        self.attempt = attempt
                    case Resumed(reset=True):
                        self.complete_text = ""
                        yield None
        self.is_complete = True
        return self.complete_text


def handle_stream_interruptions(
    client: BedrockClient,
    model_id: str,
    prompt: str,
    max_attempts: int = 3,
    callback: TextCallback | None = None,
    *,
    on_reset: Callable[[], object] | None = None,
    **options: Any,
) -> str:
    """The whole text of a streamed answer, through cuts: a `StreamingSession`, started."""
    return StreamingSession(client, model_id, prompt, callback, max_attempts, on_reset=on_reset, **options).start()


def _nothing(*_told: object) -> None:
    """Nobody listens."""
