"""Flags and environment become one `Settings`. The only reader of `PLAYGROUND_…` variables.

Every option of the command line has a twin in the environment: `--log-url` is `PLAYGROUND_LOG_URL`, and so on; the
command line wins.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

import platformdirs

from app import __version__
from app.option_types import above_0, amount, port, span_s, whole

Command = Literal["serve", "chat", "experiment", "models", "endpoint"]
COMMANDS = get_args(Command)
PREFIX = "PLAYGROUND_"
TRACE_TARGETS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""OpenTelemetry's own variables: with one of them, every run is also sent as a span."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentOptions:
    """What `experiment` was told. No model: the default one. `seed` `None`: one is drawn. `json_path` and
    `prompt_file` `-` are standard output and input."""

    models: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()
    prompt_file: str | None = None
    pairs: int = 20
    max_tokens: int = 256
    seed: int | None = None
    temperature: float | None = None
    system: str | None = None
    pause_s: float = 0.5
    warm_up: int = 1
    nonce: bool = True
    length_locked: bool = False
    cost_cap_usd: float | None = None
    narrower_than_percent: float | None = None
    json_path: str | None = None
    expect: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What this process was told to do. Options of another subcommand keep their defaults."""

    command: Command = "serve"
    backend: Literal["auto", "aws", "local"] = "auto"
    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None
    log_url: str = ""
    log_text: Literal["full", "hash", "off"] = "full"
    retention_s: float | None = None
    silence_limit_s: float = 300.0
    host: str = "127.0.0.1"
    port: int = 7860
    open_browser: bool = False
    auth_file: str | None = None
    max_runs: int = 128
    as_json: bool = False
    model: str | None = None
    system: str | None = None
    temperature: float | None = None
    max_tokens: int = 500
    experiment: ExperimentOptions = ExperimentOptions()
    traces: bool = False


def default_log_url() -> str:
    """SQLite in the platform's folder for user data."""
    folder = Path(platformdirs.user_data_dir("bedrock-playground", appauthor=False))
    return f"sqlite:///{folder / 'runs.db'}"


def parse(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings that `arguments` and `environment` amount to. Exits with status 2 on bad ones."""
    parser = _parser(environment)
    given = list(arguments)
    # `serve` is what is meant when no subcommand is named; only -h may come before one.
    if not given or (given[0] not in COMMANDS and given[0] not in ("-h", "--help", "--version")):
        given.insert(0, "serve")
    known = vars(parser.parse_args(given))
    if known["command"] == "experiment":
        options = {field.name: known.pop(field.name) for field in fields(ExperimentOptions)}
        known["experiment"] = ExperimentOptions(**options)
    return Settings(**known, traces=any(environment.get(name) for name in TRACE_TARGETS))


def _parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="playground.py", description="A streaming playground for Amazon Bedrock.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="{" + ",".join(COMMANDS) + "}")
    shared = _shared(environment)

    serve = commands.add_parser("serve", parents=[shared], help="the page and the HTTP API (the default)")
    _add(serve, environment, "--host", default="127.0.0.1", help="address to listen on")
    _add(serve, environment, "--port", type=port, default=7860, help="port to listen on, 0 for any")
    _add(serve, environment, "--auth-file", metavar="FILE", help="who may come in: a line name:key for each")
    _add(serve, environment, "--max-runs", type=whole(1), default=128, help="answers under way at once, default 128")
    _switch(serve, environment, "--open", default=False, dest="open_browser", help="open the page in a browser")

    chat = commands.add_parser("chat", parents=[shared], help="talk in the terminal")
    _add(chat, environment, "--model", help="any model id or ARN")
    _add(chat, environment, "--system", help="system prompt")
    _add(chat, environment, "--temperature", type=float, help="left to the model unless set")
    _add(chat, environment, "--max-tokens", type=int, default=500, help="where an answer is cut")

    _experiment(commands, shared, environment)

    models = commands.add_parser("models", parents=[shared], help="what can be chosen")
    _switch(models, environment, "--json", default=False, dest="as_json", help="one JSON object on standard output")

    endpoint = commands.add_parser("endpoint", parents=[shared], help="only the local Bedrock-compatible endpoint")
    _add(endpoint, environment, "--port", type=port, default=8100, help="port to listen on, 0 for any")
    return parser


EXPERIMENT = """\
Asks the same prompts in pairs, once complete and once streamed, one call after the other in a balanced random order,
and says by how much streaming brings the first text forward, with a 95 % interval. Every call is a row in the run log.
"""
EXPERIMENT_EXAMPLES = """\
Expectations compare METRIC.MODE.STATISTIC with a number, times in seconds:
  --expect "time_to_visible.stream.p50<1.0" --expect "duration.sync.p90<=8"
MODE is stream or sync; STATISTIC is p50, p90, p95, p99, mean, min, max or n. Each must hold for each model.

Exit status: 0 done, 1 failed (nothing was measured, or every model was given up on the way), 2 wrong arguments, 3 an
expectation was missed, 130 stopped with Ctrl-C; what was measured until then is kept and shown.

Example:
  playground.py experiment --model us.amazon.nova-micro-v1:0 --prompt "Explain tides." --pairs 20 --json result.json
"""


def _experiment(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    shared: argparse.ArgumentParser,
    environment: Mapping[str, str],
) -> None:
    parser = commands.add_parser(
        "experiment",
        parents=[shared],
        help="measure what streaming takes away from the wait, in pairs",
        description=EXPERIMENT,
        epilog=EXPERIMENT_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    many: dict[str, Any] = {"action": _Collect, "default": ()}
    asked = parser.add_argument_group("what is asked")
    _add(asked, environment, "--model", **many, dest="models", metavar="ID", help="model id or ARN; repeatable")
    _add(asked, environment, "--prompt", **many, dest="prompts", metavar="TEXT", help="repeatable")
    _add(asked, environment, "--prompt-file", metavar="FILE", help="a prompt on each line; - is standard input")
    _add(asked, environment, "--system", metavar="TEXT", help="system prompt")
    _add(asked, environment, "--max-tokens", type=whole(1), default=256, metavar="N", help="default 256")
    _add(asked, environment, "--temperature", type=float, metavar="X", help="default 0 where the model takes it")
    _switch(asked, environment, "--length-locked", default=False, help="ask for more than --max-tokens lets through")
    _switch(asked, environment, "--nonce", default=True, help="begin each call differently, against prompt caches")

    how = parser.add_argument_group("how it is measured")
    _add(how, environment, "--pairs", type=whole(1), default=20, metavar="N", help="pairs a model, default 20")
    _add(
        how,
        environment,
        "--warm-up",
        type=whole(0),
        default=1,
        metavar="N",
        help="calls of each kind that do not count, default 1",
    )
    _add(
        how,
        environment,
        "--pause",
        type=amount,
        default=0.5,
        dest="pause_s",
        metavar="S",
        help="between two calls, default 0.5",
    )
    _add(
        how,
        environment,
        "--until-narrower",
        type=amount,
        dest="narrower_than_percent",
        metavar="PERCENT",
        help="end early when the interval is narrower than this share of the ratio; looked at after every 10 pairs",
    )
    _add(how, environment, "--seed", type=whole(0), metavar="N", help="order of the calls; drawn unless given")
    _add(
        how,
        environment,
        "--cost-cap",
        type=amount,
        dest="cost_cap_usd",
        metavar="USD",
        help="stop before this is passed",
    )

    result = parser.add_argument_group("the result")
    _add(
        result,
        environment,
        "--json",
        dest="json_path",
        metavar="FILE",
        help="settings, rows and verdict; - is standard output",
    )
    _add(result, environment, "--expect", **many, metavar="EXPR", help="must hold, else exit status 3; repeatable")


class _Collect(argparse.Action):
    """Every use of a flag adds one; the first takes the place of what the environment said."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: Any = None) -> None:
        """Called by argparse."""
        before = getattr(namespace, self.dest)
        setattr(namespace, self.dest, (*(() if before is self.default else before), values))


def _shared(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    _add(shared, environment, "--backend", choices=("auto", "aws", "local"), default="auto", help="who answers")
    _add(shared, environment, "--region", help="AWS region")
    _add(shared, environment, "--profile", help="AWS profile")
    _add(shared, environment, "--endpoint-url", help="a Bedrock-compatible server in place of AWS")
    _add(
        shared,
        environment,
        "--silence-limit",
        type=above_0,
        default=300.0,
        dest="silence_limit_s",
        metavar="S",
        help="give a stream up that says nothing for so long, default 300",
    )
    _add(shared, environment, "--log-url", default=default_log_url(), help="SQLAlchemy URL of the run log")
    _add(
        shared,
        environment,
        "--log-text",
        choices=("full", "hash", "off"),
        default="full",
        help="what the run log keeps of prompts and answers: all, fingerprints (SHA-256) or nothing",
    )
    _add(
        shared,
        environment,
        "--retention",
        type=span_s,
        dest="retention_s",
        metavar="TIME",
        help="delete runs that are older, such as 12h, 30d or 2w; without it they are kept for ever",
    )
    return shared


def _add(parser: argparse._ActionsContainer, environment: Mapping[str, str], flag: str, **options: object) -> None:
    """Adds an option whose default the environment may set. argparse checks the type of a default that is text."""
    name = flag.removeprefix("--").replace("-", "_").upper()
    value = environment.get(PREFIX + name)
    if value:
        choices = options.get("choices")
        if isinstance(choices, tuple) and value not in choices and isinstance(parser, argparse.ArgumentParser):
            parser.error(f"{PREFIX}{name} must be one of {', '.join(choices)}; it is {value!r}.")
        options["default"] = (value,) if options.get("action") is _Collect else value
    parser.add_argument(flag, **options)  # type: ignore[arg-type]  # typeshed spells out each keyword


def _switch(
    parser: argparse._ActionsContainer, environment: Mapping[str, str], flag: str, *, default: bool, **options: Any
) -> None:
    """Adds `--flag` and `--no-flag`."""
    name = flag.removeprefix("--").replace("-", "_").upper()
    value = _truth(environment, name, default=default)
    parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=value, **options)


def _truth(environment: Mapping[str, str], name: str, *, default: bool) -> bool:
    value = environment.get(PREFIX + name, "").lower()
    return default if not value else value in ("1", "true", "yes", "on")
