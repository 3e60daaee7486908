"""Flags, their twins in the environment, and what bad ones get."""

from __future__ import annotations

import pytest

from app.settings import Settings, default_log_url, parse


def test_serving_on_loopback_is_the_default() -> None:
    settings = parse([], {})
    assert settings == Settings(log_url=default_log_url())
    assert (settings.command, settings.host, settings.port, settings.backend) == ("serve", "127.0.0.1", 7860, "auto")


def test_options_may_stand_without_a_subcommand() -> None:
    assert parse(["--port", "8000"], {}).port == 8000
    assert parse(["serve", "--port", "8000", "--open"], {}).open_browser


@pytest.mark.parametrize("command", ["serve", "chat", "models", "endpoint"])
def test_every_subcommand_takes_the_shared_options(command: str) -> None:
    given = ["--backend", "local", "--region", "eu-west-1", "--profile", "p", "--endpoint-url", "u", "--log-url", "l"]
    settings = parse([command, *given], {})
    assert (settings.command, settings.backend, settings.region) == (command, "local", "eu-west-1")
    assert (settings.profile, settings.endpoint_url, settings.log_url) == ("p", "u", "l")


@pytest.mark.parametrize("command", ["serve", "chat", "experiment", "models", "endpoint"])
def test_what_is_kept_and_how_long_is_for_all_that_write_rows(command: str) -> None:
    settings = parse([command, "--log-text", "hash", "--retention", "30d"], {})
    assert (settings.log_text, settings.retention_s) == ("hash", 30 * 86_400.0)
    settings = parse([command], {"PLAYGROUND_LOG_TEXT": "off", "PLAYGROUND_RETENTION": "12h"})
    assert (settings.log_text, settings.retention_s) == ("off", 12 * 3600.0)
    assert (parse([command], {}).log_text, parse([command], {}).retention_s) == ("full", None)
    assert parse([command, "--retention", " 2W "], {}).retention_s == 14 * 86_400.0


def test_the_environment_has_a_twin_of_every_option_and_the_command_line_wins() -> None:
    environment = {
        "PLAYGROUND_PORT": "9000",
        "PLAYGROUND_BACKEND": "aws",
        "PLAYGROUND_LOG_URL": "sqlite:///x.db",
        "PLAYGROUND_ENDPOINT_URL": "http://127.0.0.1:1",
        "PLAYGROUND_OPEN": "1",
        "PLAYGROUND_REGION": "",
    }
    settings = parse([], environment)
    assert (settings.port, settings.backend, settings.log_url) == (9000, "aws", "sqlite:///x.db")
    assert (settings.endpoint_url, settings.open_browser, settings.region) == ("http://127.0.0.1:1", True, None)
    assert parse(["--port", "1", "--no-open"], environment).port == 1
    assert not parse(["--no-open"], environment).open_browser


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        (["--port", "many"], {}, "--port"),
        (["--port", "70000"], {}, "between 0 and 65535"),
        (["--backend", "moon"], {}, "--backend"),
        ([], {"PLAYGROUND_PORT": "many"}, "--port"),
        ([], {"PLAYGROUND_BACKEND": "moon"}, "PLAYGROUND_BACKEND must be one of auto, aws, local"),
        (["--silence-limit", "0"], {}, "--silence-limit: must be more than 0"),
        (["--silence-limit", "-1"], {}, "--silence-limit"),
        (["--silence-limit", "nan"], {}, "--silence-limit"),
        ([], {"PLAYGROUND_SILENCE_LIMIT": "0"}, "--silence-limit"),
        (["--log-text", "some"], {}, "--log-text"),
        ([], {"PLAYGROUND_LOG_TEXT": "some"}, "PLAYGROUND_LOG_TEXT must be one of full, hash, off"),
        (["--retention", "30"], {}, "--retention: must be a number of hours, days or weeks: 12h, 30d or 2w"),
        (["--retention", "0d"], {}, "--retention: must be a number"),
        (["--retention", "1.5d"], {}, "--retention: must be a number"),
        (["--retention", "٣d"], {}, "--retention: must be a number"),
        (["--retention", "99999w"], {}, "--retention: must be at most 100 years"),
        ([], {"PLAYGROUND_RETENTION": "soon"}, "--retention: must be a number"),
        (["dance"], {}, "dance"),
    ],
)
def test_bad_ones_end_with_status_2(
    arguments: list[str], environment: dict[str, str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        parse(arguments, environment)
    told = capsys.readouterr().err
    assert words in told
    assert stopped.value.code == 2


def test_models_as_json_has_a_twin_too() -> None:
    assert parse(["models"], {"PLAYGROUND_JSON": "1"}).as_json
    assert not parse(["models", "--no-json"], {"PLAYGROUND_JSON": "1"}).as_json
    assert not parse(["models"], {"PLAYGROUND_JSON": "result.json"}).as_json, "that is meant for an experiment"
