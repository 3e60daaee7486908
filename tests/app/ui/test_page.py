"""The page as Gradio knows it: what must hold for every event, and the names that people hold on to."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from app.services import make_services
from app.ui.page import build_page, header, labels_of, page_options
from app.ui.settings_panel import max_tokens_info, model_note, temperature_of, top_p_of
from metrics.run_log import RunLog
from providers.connect import Backends
from providers.local.launch import LocalEndpoint
from providers.registry import resolve

ELEMENTS = {
    *("model", "temperature", "max-tokens", "top-p", "system-prompt", "mode"),
    *("chat-prompt", "chat-send", "chat-stop", "chat-output"),
    *("compare-prompt", "compare-run", "compare-stop", "compare-add"),
    *(f"pane-{number}-{part}" for number in range(1, 7) for part in ("model", "output", "stats")),
    *("experiment-run", "experiment-stop", "experiment-progress", "experiment-verdict", "experiment-plot"),
    "experiment-export",
    *("runs-table", "runs-export"),
}


@pytest.fixture
def config(run_log: RunLog, endpoint: LocalEndpoint) -> dict[str, Any]:
    services = make_services(Backends("local", local_url=endpoint.url), run_log)

    async def build() -> dict[str, Any]:
        # Gradio makes itself an event loop where none runs, and leaves it open.
        return dict(build_page(services).get_config_file())

    return asyncio.run(build())


def test_the_promised_elements_are_there(config: dict[str, Any]) -> None:
    ids = {component["props"].get("elem_id") for component in config["components"]}
    assert ids >= ELEMENTS


def test_only_the_public_verbs_are_endpoints(config: dict[str, Any]) -> None:
    offered = {event["api_name"] for event in config["dependencies"] if event["api_visibility"] != "private"}
    assert offered == {"generate", "compare", "experiment"}


def test_no_tab_needs_a_second_connection(config: dict[str, Any]) -> None:
    assert not config["connect_heartbeat"]
    assert not {component["type"] for component in config["components"]} & {"state", "browserstate", "chatbot"}


def test_what_streams_is_small_and_draws_no_overlay(config: dict[str, Any]) -> None:
    private = [event for event in config["dependencies"] if event["api_visibility"] == "private"]
    streaming = [event for event in private if event["types"]["generator"]]  # the public verbs have no widgets
    assert streaming
    kinds = {component["id"]: component["type"] for component in config["components"]}
    for asked in streaming:
        assert asked["trigger_mode"] == "once"
        assert asked["show_progress"] == "hidden"
        assert {kinds[id_] for id_ in asked["inputs"]} <= {
            *("textbox", "dropdown", "slider", "number", "radio", "checkbox")
        }


def test_no_trigger_has_two_readers(config: dict[str, Any]) -> None:
    targets = [
        tuple(target)
        for event in config["dependencies"]
        if event["backend_fn"]
        for target in event["targets"]
        if target[1] in ("click", "submit")
    ]
    assert sorted(targets) == sorted(set(targets))


def test_files_cannot_come_in(config: dict[str, Any]) -> None:
    taking = {"file", "uploadbutton", "image", "audio", "video", "multimodaltextbox", "gallery"}
    assert not taking & {component["type"] for component in config["components"]}


def test_the_page_asks_no_other_host_for_its_looks() -> None:
    options = page_options()
    for text in (options["css"], options["head"]):
        assert "http://" not in text
        assert "https://" not in text
        assert "@import" not in text
    assert "fonts.googleapis" not in str(options["theme"]._font_css)


def test_the_header_names_the_backend(run_log: RunLog, endpoint: LocalEndpoint) -> None:
    services = make_services(Backends("local", local_url=endpoint.url), run_log)
    html = header(services, labels_of(services))
    assert "On this machine: SmolLM2 135M, chosen with --backend local" in html
    assert 'id="backend-status"' in html


def test_the_settings_follow_the_model() -> None:
    nova = resolve("us.amazon.nova-micro-v1:0").capabilities
    assert temperature_of(nova, 0.3)["value"] == 0.3
    assert temperature_of(nova, 5)["value"] == 1.0
    assert temperature_of(nova, "x")["value"] == 0.7
    assert "10,000" in max_tokens_info(nova)
    assert "128,000" in model_note("us.amazon.nova-micro-v1:0", nova)


def test_a_model_that_refuses_temperature_says_so_instead() -> None:
    refusing = resolve("global.anthropic.claude-opus-5").capabilities
    assert temperature_of(refusing)["interactive"] is False
    assert "temperature is not sent" in temperature_of(refusing)["info"]
    assert top_p_of(refusing)["interactive"] is False


def test_the_end_of_a_model_s_life_is_told() -> None:
    old = resolve("amazon.titan-text-express-v1").capabilities
    assert "End of life" in model_note("amazon.titan-text-express-v1", old)
    assert "no model that is known" in model_note("fragile", None)
