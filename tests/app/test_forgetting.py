"""Runs that were deleted on the page: no memory of this process shows them, sends them or writes them again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import httpx
import pytest

from app.api import build_api
from app.comparisons import PaneSettings
from app.conversations import Turn
from app.fan_in import Entry, FanIn
from app.services import Services, make_services
from app.ui.chat import _Asking
from app.ui.runs import _Runs
from metrics.run_log import RunLog
from providers.connect import Backends
from providers.local.launch import LocalEndpoint
from tests.app.conftest import served
from tests.app.test_api import events_of
from tests.app.test_fan_in import SLOW, SWIFT, entry
from tests.app.test_recall import asked
from tests.app.ui.test_runs import act, form
from tests.patience import until

KEY = "k" * 32
Delete = Callable[[Services, list[str]], object]


def chosen(services: Services, run_ids: list[str]) -> None:
    """Each by its button, as the page does it."""
    for run_id in run_ids:
        assert "1 run deleted." in act(_Runs(services), "delete", run_id)["told"]


def emptied(services: Services, _: list[str]) -> None:
    _Runs(services).delete_all("", *form())


BOTH = pytest.mark.parametrize("delete", [chosen, emptied])


@pytest.fixture
def services(run_log: RunLog, endpoint: LocalEndpoint) -> Iterator[Services]:
    made = make_services(Backends("local", local_url=endpoint.url), run_log)
    yield made
    made.runner.close()


@BOTH
def test_a_reloaded_page_does_not_show_them_nor_is_a_model_told_them(
    services: Services, run_log: RunLog, delete: Delete
) -> None:
    conversation = services.conversations.open(KEY)
    asked(services, conversation, "Secret one")
    asked(services, conversation, "Secret two")
    delete(services, [run.run_id for run in run_log.recent()])
    page = _Asking(services, str)
    assert "Secret" not in str(asyncio.run(page.restore(KEY)))
    asked(services, conversation, "Next")
    [row] = run_log.recent()
    assert (row.prompt, row.conversation) == ("Next", ())


def test_the_others_stay(services: Services, run_log: RunLog) -> None:
    conversation = services.conversations.open(KEY)
    turns: list[Turn] = [asked(services, conversation, question) for question in ("one", "two", "three")]
    [update] = turns[1].answers
    chosen(services, [update.run_id])
    assert [turn.question for turn in conversation.turns()] == ["one", "three"]


def test_what_is_under_way_stays_where_all_are_deleted(services: Services, run_log: RunLog) -> None:
    conversation = services.conversations.open(KEY)
    asked(services, conversation, "one")
    turn = conversation.begin("two", "stream")
    run = FanIn(services.runner, [entry(SLOW)], comparison_id="c")
    board = services.comparisons.open(KEY)
    board.begin("Compare", [PaneSettings(model=SLOW)])
    board.attach(run)
    run.start()
    until(lambda: bool(services.runner.under_way()))
    conversation.attach(turn.id, services.runner.under_way()[0])
    emptied(services, [])
    assert [seen.question for seen in conversation.turns()] == ["two"]
    assert len(conversation.turns()[0].answers) == 1
    assert board.standing().prompt == "Compare"
    assert board.standing().answers != (None,)
    board.finish()
    until(lambda: run.ended)


@BOTH
def test_a_comparison_forgets_them(services: Services, run_log: RunLog, delete: Delete) -> None:
    board = services.comparisons.open(KEY)
    board.begin("Secret", [PaneSettings(model=SWIFT)] * 2)
    entries: list[Entry] = [entry(), entry()]
    runs = FanIn(services.runner, entries, comparison_id=board.standing().id)
    board.attach(runs)
    runs.start()
    until(lambda: runs.ended)
    board.finish()
    first, second = (answer.run_id for answer in board.standing().answers if answer)
    chosen(services, [first])
    kept = board.standing()
    assert (kept.prompt, kept.answers[0]) == ("Secret", None)
    assert kept.answers[1] is not None
    delete(services, [second])
    assert (board.standing().prompt, board.standing().answers) == ("", ())


@BOTH
def test_neither_a_key_nor_the_id_of_an_event_brings_them_back(
    services: Services, run_log: RunLog, delete: Delete
) -> None:
    body = {"prompt": "Secret", "model_id": SWIFT, "max_tokens": 5}
    with served(build_api(services)) as url, httpx.Client(base_url=url, timeout=20, trust_env=False) as client:
        keyed = {"Idempotency-Key": "k"}
        whole = client.post("/api/generate", json=body, headers=keyed)
        streamed = client.post("/api/generate/stream", json=body).text
        first_id = next(line.removeprefix("id: ") for line in streamed.splitlines() if line.startswith("id: "))
        assert events_of(streamed)[-1][1]["done"]
        until(lambda: run_log.count() == 2)
        delete(services, [run.run_id for run in run_log.recent()])
        again = client.post("/api/generate", json=body, headers=keyed)
        back = client.post("/api/generate/stream", json=body, headers={"Last-Event-ID": first_id})
    assert whole.status_code == 200
    assert (again.status_code, back.status_code) == (404, 404)
    assert "not known here any more" in again.json()["error"]
    assert run_log.count() == 0
