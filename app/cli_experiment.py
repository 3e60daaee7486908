"""The paired experiment without a screen: progress on standard error, the result on standard output.

Exit status: 0 done, 1 failed, 2 wrong arguments, 3 an expectation was missed, 130 stopped with Ctrl-C.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from app import result_file
from app.expectation import Expectation, read_expectation
from app.experiment import Experiment
from app.experiment_plan import ExperimentSettings
from app.experiment_result import as_text, document, lines, verdicts_in_order
from app.experiment_update import ExperimentUpdate, settings_of
from app.services import Services, close_services, open_services
from app.settings import ExperimentOptions, Settings
from metrics.record import RunRecord
from metrics.run_log import RunLogError
from providers.errors import ConfigurationError, InvalidValueError, ProviderError, UnknownModelError
from providers.validation import clean_text

DONE, FAILED, BAD_ARGUMENTS, MISSED, INTERRUPTED = 0, 1, 2, 3, 130


def experiment(settings: Settings) -> int:
    """Runs it and gives the exit status."""
    options = settings.experiment
    try:
        prompts = _prompts(options)
        expected = [read_expectation(text, options.pairs) for text in options.expect]
        _check_target(options.json_path)
    except ValueError as error:
        return _fail(BAD_ARGUMENTS, str(error))
    try:
        services = open_services(settings)
    except (ConfigurationError, RunLogError) as error:
        return _fail(FAILED, str(error))
    try:
        return _Command(services, options, prompts, expected).run()
    except InvalidValueError as error:
        return _fail(BAD_ARGUMENTS, str(error))
    except UnknownModelError as error:
        return _fail(BAD_ARGUMENTS, f"{error} `playground.py models` lists what can be chosen.")
    except ProviderError as error:
        return _fail(FAILED, str(error))
    finally:
        close_services(services)


def _prompts(options: ExperimentOptions) -> tuple[str, ...]:
    """Those of the flags, then a line each of the file. Raises `ValueError` where there is none."""
    prompts = list(options.prompts)
    if options.prompt_file is not None:
        try:
            text = sys.stdin.read() if options.prompt_file == "-" else Path(options.prompt_file).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
            raise ValueError(f"The prompts cannot be read from {options.prompt_file}: {reason}.") from error
        prompts += text.splitlines()
    prompts = [prompt for prompt in prompts if prompt.strip()]
    if not prompts:
        raise ValueError("A prompt is required: give --prompt TEXT, or --prompt-file FILE with a prompt on each line.")
    return tuple(prompts)


def _check_target(path: str | None) -> None:
    """Before money is spent: whether the result can be written where it is wanted."""
    if path is None or path == "-":
        return
    try:
        result_file.check(Path(path))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ValueError(f"{path} cannot be written ({reason}): name a file in a folder that exists.") from error


def _fail(status: int, sentence: str) -> int:
    sys.stderr.write(f"{sentence}\n")
    return status


class _Command:
    """One experiment from its start to its exit status."""

    def __init__(
        self, services: Services, options: ExperimentOptions, prompts: tuple[str, ...], expected: Sequence[Expectation]
    ) -> None:
        self._services = services
        self._options = options
        self._expected = expected
        self._experiment = Experiment(services, self._settings(prompts))
        self._interrupted = False
        self._shown = self._noticed = 0

    def run(self) -> int:
        """Measures, reports, and gives the exit status."""
        self._say(self._beginning())
        with self._ctrl_c_stops():
            self._services.experiments.begin(self._experiment)
            for update in self._experiment:
                if self._interrupted:
                    self._experiment.cancel()
                self._progress(update)
            self._experiment.join()
        return self._report(self._experiment.snapshot())

    def _settings(self, prompts: tuple[str, ...]) -> ExperimentSettings:
        options = self._options
        return ExperimentSettings(
            models=options.models or (self._services.backends.default_model(),),
            prompts=prompts,
            pairs=options.pairs,
            max_tokens=options.max_tokens,
            seed=random.SystemRandom().randrange(2**31) if options.seed is None else options.seed,
            temperature=options.temperature,
            system=options.system,
            pause_s=options.pause_s,
            warm_up=options.warm_up,
            nonce=options.nonce,
            length_locked=options.length_locked,
            cost_cap_usd=options.cost_cap_usd,
            narrower_than=None if options.narrower_than_percent is None else options.narrower_than_percent / 100,
        )

    @contextlib.contextmanager
    def _ctrl_c_stops(self) -> Iterator[None]:
        """The first Ctrl-C stops the experiment and keeps what is done; the second one ends the program.

        The handler only leaves word: it may interrupt this thread while it holds the lock that stopping needs. The
        loop looks four times a second.
        """

        def stop(*_: Any) -> None:
            self._interrupted = True
            signal.signal(signal.SIGINT, before)

        before = signal.signal(signal.SIGINT, stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    # --- progress -----------------------------------------------------------------------------------------------------

    def _say(self, words: str) -> None:
        sys.stderr.write(words + "\n")
        sys.stderr.flush()

    def _beginning(self) -> str:
        settings, most = self._experiment.settings, self._experiment.most_usd
        cost = "costs nothing" if most == 0 else "cost – (no list price)" if most is None else f"at most ${most:.4f}"
        each = " each" if len(settings.models) > 1 else ""
        return (
            f"{', '.join(settings.models)}: {settings.pairs} pairs{each}, {settings.calls} calls of at most "
            f"{settings.max_tokens} tokens, {cost}, seed {settings.seed}"
        )

    def _progress(self, update: ExperimentUpdate) -> None:
        """A line for each warm-up call and each pair that has ended, and for each new notice."""
        fresh = update.records[self._shown :]
        while fresh:
            size = 1 if fresh[0].pair_id is None else 2
            pair = [record for record in fresh[:size] if record.pair_id == fresh[0].pair_id]
            if len(pair) < size and not update.ended:
                break
            self._say(self._line(pair, update))
            self._shown += len(pair)
            fresh = update.records[self._shown :]
        for notice in update.notices[self._noticed :]:
            self._say(notice)
        self._noticed = len(update.notices)

    def _line(self, pair: Sequence[RunRecord], update: ExperimentUpdate) -> str:
        number = pair[0].pair_id
        what = "warm-up" if number is None else f"pair {int(number.rpartition('-')[2])}"
        of = f" of {len(update.settings.models) * update.settings.pairs}" if number else ""
        model = f" {pair[0].request_model}" if len(update.settings.models) > 1 else ""
        told = " · ".join(_told(record) for record in sorted(pair, key=lambda record: record.mode, reverse=True))
        return f"{what}{of}{model}: {told}{_left(update.left_s)}"

    # --- the result ---------------------------------------------------------------------------------------------------

    def _report(self, update: ExperimentUpdate) -> int:
        records, path = update.records, self._options.json_path
        out = sys.stderr if path == "-" else sys.stdout
        if update.problem:
            self._say(update.problem)
        written = path is None or self._write(path, document(settings_of(update), records))
        if records:
            _put(out, _summary(settings_of(update), records))
        missed = self._missed(records)
        for words in missed:
            self._say(words)
        if self._interrupted:
            return INTERRUPTED
        if update.state == "failed" or not written or not _measured(records):
            return FAILED
        return MISSED if missed else DONE

    def _missed(self, records: Sequence[RunRecord]) -> list[str]:
        models = self._experiment.settings.models
        found = (expectation.missed(records, model_id) for expectation in self._expected for model_id in models)
        return [sentence for sentence in found if sentence]

    def _write(self, path: str, found: dict[str, Any]) -> bool:
        text = json.dumps(found, ensure_ascii=False, indent=None if path == "-" else 1)
        if path == "-":
            _put(sys.stdout, clean_text(text))
            return True
        try:
            result_file.write(Path(path), text + "\n")
        except (OSError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
            self._say(f"{path} cannot be written: {reason}. The rows are in the run log.")
            return False
        return True


def _put(out: TextIO, text: str) -> None:
    """Writes a line or more. A reader that has gone, as after `| head`, is no failure of the experiment."""
    try:
        out.write(text + "\n")
        out.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())


def _measured(records: Sequence[RunRecord]) -> bool:
    return any(record.phase == "measure" and record.status == "completed" for record in records)


def _summary(settings: Mapping[str, Any], records: Sequence[RunRecord]) -> str:
    """A sentence and a table for each model."""
    parts = []
    for verdict in verdicts_in_order(settings, records):
        head = f"{verdict.model_id}\n" if len(verdict.models) == 1 else ""
        left_out = f"\n{verdict.left_out}." if verdict.left_out else ""
        table = as_text(lines(records, verdict), verdict.level) if verdict.effects else ""
        parts.append(f"{head}{verdict.sentence}{left_out}" + (f"\n\n{table}" if table else ""))
    return "\n\n".join(parts)


def _told(record: RunRecord) -> str:
    """One call in words."""
    way = "complete" if record.mode == "sync" else "streamed"
    if record.status != "completed":
        return f"{way} {record.status}: {record.error_message or 'no text'}"
    if record.mode == "sync":
        return f"{way} {_seconds(record.duration_s)}"
    return f"{way} first text {_seconds(record.time_to_visible_s)}, total {_seconds(record.duration_s)}"


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f} s"


def _left(left_s: float | None) -> str:
    return "" if left_s is None else f" · {left_s:.0f} s left" if left_s < 90 else f" · {left_s / 60:.0f} min left"
