"""Flags and environment become one `Settings`. The only reader of `PLAYGROUND_…` variables.

Every option of the command line has a twin in the environment: `--log-url` is `PLAYGROUND_LOG_URL`, and so on; the
command line wins.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import platformdirs

from app import __version__

Command = Literal["serve", "chat", "models", "endpoint"]
COMMANDS = get_args(Command)
PREFIX = "PLAYGROUND_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What this process was told to do. Options of another subcommand keep their defaults."""

    command: Command = "serve"
    backend: Literal["auto", "aws", "local"] = "auto"
    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None
    log_url: str = ""
    host: str = "127.0.0.1"
    port: int = 7860
    open_browser: bool = False
    as_json: bool = False
    model: str | None = None
    system: str | None = None
    temperature: float | None = None
    max_tokens: int = 500


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
    return Settings(**known)


def _parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="playground.py", description="A streaming playground for Amazon Bedrock.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="{" + ",".join(COMMANDS) + "}")
    shared = _shared(environment)

    serve = commands.add_parser("serve", parents=[shared], help="the page and the HTTP API (the default)")
    _add(serve, environment, "--host", default="127.0.0.1", help="address to listen on")
    _add(serve, environment, "--port", type=_port, default=7860, help="port to listen on, 0 for any")
    serve.add_argument(
        "--open",
        action=argparse.BooleanOptionalAction,
        dest="open_browser",
        default=_truth(environment, "OPEN", default=False),
        help="open the page in a browser",
    )

    chat = commands.add_parser("chat", parents=[shared], help="talk in the terminal")
    _add(chat, environment, "--model", help="any model id or ARN")
    _add(chat, environment, "--system", help="system prompt")
    _add(chat, environment, "--temperature", type=float, help="left to the model unless set")
    _add(chat, environment, "--max-tokens", type=int, default=500, help="where an answer is cut")

    models = commands.add_parser("models", parents=[shared], help="what can be chosen")
    models.add_argument("--json", action="store_true", dest="as_json", help="one JSON object on standard output")

    endpoint = commands.add_parser("endpoint", parents=[shared], help="only the local Bedrock-compatible endpoint")
    _add(endpoint, environment, "--port", type=_port, default=8100, help="port to listen on, 0 for any")
    return parser


def _shared(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    _add(shared, environment, "--backend", choices=("auto", "aws", "local"), default="auto", help="who answers")
    _add(shared, environment, "--region", help="AWS region")
    _add(shared, environment, "--profile", help="AWS profile")
    _add(shared, environment, "--endpoint-url", help="a Bedrock-compatible server in place of AWS")
    _add(shared, environment, "--log-url", default=default_log_url(), help="SQLAlchemy URL of the run log")
    return shared


def _add(parser: argparse.ArgumentParser, environment: Mapping[str, str], flag: str, **options: object) -> None:
    """Adds an option whose default the environment may set. argparse checks the type of a default that is text."""
    name = flag.removeprefix("--").replace("-", "_").upper()
    value = environment.get(PREFIX + name)
    if value:
        choices = options.get("choices")
        if isinstance(choices, tuple) and value not in choices:
            parser.error(f"{PREFIX}{name} must be one of {', '.join(choices)}; it is {value!r}.")
        options["default"] = value
    parser.add_argument(flag, **options)  # type: ignore[arg-type]  # typeshed spells out each keyword


def _truth(environment: Mapping[str, str], name: str, *, default: bool) -> bool:
    value = environment.get(PREFIX + name, "").lower()
    return default if not value else value in ("1", "true", "yes", "on")


def _port(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 65535:
        raise argparse.ArgumentTypeError(f"a port lies between 0 and 65535; you gave {value}")
    return value
