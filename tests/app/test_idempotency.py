"""Keys of questions: what they find again, what they refuse, and how they are forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException

from app.idempotency import AskedBefore
from providers.errors import InvalidValueError

ANA = ("ana", "k")


def beginning(*ids: str) -> Callable[[], Coroutine[Any, Any, str]]:
    """Starts runs with these ids, one after the other."""
    left = list(ids)

    async def begin() -> str:
        await asyncio.sleep(0)
        return left.pop(0)

    return begin


def test_a_key_finds_its_run_and_another_login_does_not() -> None:
    async def act() -> list[str]:
        before, begin = AskedBefore(), beginning("1", "2")
        return [await before.run_id(key, b"body", begin) for key in (ANA, ANA, ("ben", "k"), ANA)]

    assert asyncio.run(act()) == ["1", "1", "2", "1"]


def test_two_at_the_same_moment_begin_one_run() -> None:
    async def act() -> list[str]:
        before, begin = AskedBefore(), beginning("1", "2")
        return await asyncio.gather(*(before.run_id(ANA, b"body", begin) for _ in range(2)))

    assert asyncio.run(act()) == ["1", "1"]


def test_another_body_is_a_conflict() -> None:
    async def act() -> None:
        before = AskedBefore()
        await before.run_id(ANA, b"body", beginning("1"))
        await before.run_id(ANA, b"other", beginning("2"))

    with pytest.raises(HTTPException, match="Something else was asked") as refused:
        asyncio.run(act())
    assert refused.value.status_code == 409


def test_what_is_refused_leaves_no_key_behind() -> None:
    async def refuse() -> str:
        await asyncio.sleep(0)
        raise InvalidValueError("No.", field="prompt")

    async def act() -> str:
        before = AskedBefore()
        both = [before.run_id(ANA, b"body", refuse) for _ in range(2)]
        assert [type(each) for each in await asyncio.gather(*both, return_exceptions=True)] == [InvalidValueError] * 2
        assert not len(before)
        return await before.run_id(ANA, b"other", beginning("1"))

    assert asyncio.run(act()) == "1"


def test_a_key_is_freed_for_the_run_that_it_stands_for_alone() -> None:
    async def act() -> list[str | None]:
        before, begin = AskedBefore(), beginning("1", "2")
        seen = [before.begun(ANA), await before.run_id(ANA, b"body", begin), before.begun(ANA)]
        before.forget(ANA, "other")
        seen.append(before.begun(ANA))
        before.forget(ANA, "1")
        before.forget(ANA, "1")
        return [*seen, before.begun(ANA), await before.run_id(ANA, b"body", begin)]

    assert asyncio.run(act()) == [None, "1", "1", "1", None, "2"]


def test_a_run_that_is_about_to_begin_is_none_yet() -> None:
    async def act() -> str | None:
        before = AskedBefore()
        first = asyncio.ensure_future(before.run_id(ANA, b"body", beginning("1")))
        await asyncio.sleep(0)
        seen = before.begun(ANA)
        await first
        return seen

    assert asyncio.run(act()) is None


def test_who_leaves_does_not_take_it_from_who_waits() -> None:
    async def act() -> str:
        before, begin = AskedBefore(), beginning("1", "2")
        first = asyncio.ensure_future(before.run_id(ANA, b"body", begin))
        second = asyncio.ensure_future(before.run_id(ANA, b"body", begin))
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert asyncio.run(act()) == "1"


def test_the_oldest_is_forgotten_by_number_and_by_time() -> None:
    async def act() -> list[str]:
        now = [0.0]
        before, begin = AskedBefore(most=2, keep_s=60, clock=lambda: now[0]), beginning(*"123456")
        found = [await before.run_id(("", key), b"", begin) for key in "abc"]  # c takes the place of a
        found += [await before.run_id(("", key), b"", begin) for key in "cb"]
        now[0] = 61.0
        return [*found, await before.run_id(("", "c"), b"", begin)]

    assert asyncio.run(act()) == ["1", "2", "3", "3", "2", "4"]


@pytest.mark.parametrize("key", ["", "two words", "ümlaut", "tab\t", "x" * 256, "line\n"])
def test_what_is_no_key_is_named(key: str) -> None:
    with pytest.raises(InvalidValueError, match="Idempotency-Key must be 1 to 255 visible ASCII"):
        asyncio.run(AskedBefore().run_id(("", key), b"", beginning("1")))


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=255))
def test_every_visible_ascii_is_a_key(key: str) -> None:
    assert asyncio.run(AskedBefore().run_id(("", key), b"", beginning("1"))) == "1"
