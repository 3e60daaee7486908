"""Tab Chat in a real browser: an answer that grows, stops, fails, is asked again, and is there after a reload."""

from __future__ import annotations

import re
import time
from typing import Any

from playwright.sync_api import Route, expect

from tests.e2e.conftest import BUSY, NO_SIDEWAYS, PHONE, Chat, Playground, duplicate, key_of
from tests.patience import until
from tests.wire import WireServer, failure, silence, stop_frames, stream, text_frames

SWIFT = "Simulated · swift"
STEADY = "Simulated · steady"
TALKER = "acme.talker-v1:0"
"""A model of a vendor that nobody knows: it is asked over Converse."""

COUNT_STEPS = """() => {
  window.lengths = new Set();
  const note = () => {
    const text = document.querySelector('#chat-live .md')?.textContent || '';
    if (text) window.lengths.add(text.length);
  };
  new MutationObserver(note).observe(document.querySelector('#chat-live'),
    {childList: true, subtree: true, characterData: true});
}"""

AT_END = """() => {
  const page = document.scrollingElement;
  return page.scrollTop > 200 && page.scrollHeight - page.scrollTop - innerHeight < 80;
}"""


def test_an_answer_of_the_local_model_grows_before_it_ends(chat: Chat, here: Playground) -> None:
    chat.page.evaluate(COUNT_STEPS)
    chat.ask("Tell me a long story about a lighthouse keeper who collects sounds.")
    assert chat.page.evaluate("window.lengths.size") >= 10
    expect(chat.word).to_have_text("done")
    expect(chat.page.locator("#chat-progress")).to_contain_text("100 %")
    figures = chat.page.locator("#chat-history .answer .figures")
    expect(figures).to_have_text(
        re.compile(r"first text .*\s· .*tok/s\s· \d+ tokens\s· .* s total\s· no cost: this machine")
    )
    row = here.rows()[0]
    assert (row.status, row.mode, row.request_model) == ("completed", "stream", "local.smollm2-135m-instruct")
    assert chat.answers.inner_text().split()[:3] == re.sub(r"[*#]", "", row.response).split()[:3]


def test_stop_keeps_the_text_writes_a_row_and_ends_the_model_s_work(chat: Chat, here: Playground) -> None:
    chat.send("Tell me a very long story about the sea, with many chapters.")
    chat.until_text()
    pressed = time.monotonic()
    chat.page.locator("#chat-stop").click()
    expect(chat.word).to_have_text("stopped", timeout=1_000)
    assert time.monotonic() - pressed < 1.0
    assert len(chat.answers.inner_text()) > 2
    expect(chat.page.locator("#chat-history .badge", has_text="stopped")).to_be_visible()
    expect(chat.page.locator("#chat-send")).to_be_visible()
    row = here.rows()[0]
    assert row.status == "cancelled"
    assert row.response

    def idle() -> bool:
        before = here.cpu_s()
        time.sleep(0.25)
        return here.cpu_s() - before < 0.1  # a model at work takes all of a core

    until(idle, "the model goes on working", within_s=5.0)  # before it would have ended by itself


def test_escape_stops_too_and_the_focus_stays_in_the_prompt(chat: Chat) -> None:
    chat.choose(STEADY)
    chat.send("Why?")
    chat.until_text()
    chat.page.keyboard.press("Escape")
    expect(chat.word).to_have_text("stopped", timeout=1_000)
    expect(chat.box).to_be_focused()


def test_who_asks_before_the_page_has_its_conversation_can_stop(chat: Chat, here: Playground) -> None:
    held: list[Route] = []
    chat.page.route("**/queue/join*", lambda route: route.continue_() if held else held.append(route))
    chat.page.reload()
    expect(chat.box).to_be_visible()
    chat.box.fill("Tell me a very long story about the sea, with many chapters.")
    chat.page.locator("#chat-send").click()
    until(lambda: bool(held))
    chat.page.wait_for_timeout(300)  # a question that does not wait would be on its way by now
    held[0].continue_()
    chat.until_text()
    chat.page.locator("#chat-stop").click()
    expect(chat.word).to_have_text("stopped", timeout=1_000)
    assert here.rows()[0].status == "cancelled"


def test_stop_closes_the_call_of_the_service(far_chat: Chat, far: Playground, wire: WireServer) -> None:
    wire.reply_with(stream(text_frames("Once"), then=silence))
    far_chat.type_model(TALKER)
    far_chat.send("Tell me")
    far_chat.until_text()
    expect(far_chat.word).to_have_text("stalled")
    far_chat.page.set_viewport_size(PHONE)
    assert far_chat.page.evaluate(NO_SIDEWAYS)
    pressed = time.perf_counter()
    far_chat.page.locator("#chat-stop").click()
    expect(far_chat.word).to_have_text("stopped", timeout=1_000)
    until(lambda: bool(wire.left_at), "the call stays open")
    assert wire.left_at[0] - pressed < 1.0
    assert far.rows()[0].status == "cancelled"


def test_a_closed_tab_stops_its_answer(visitors: Any, far: Playground, wire: WireServer) -> None:
    chat = visitors(far.url)
    wire.reply_with(stream(text_frames("Once"), then=silence))
    chat.type_model(TALKER)
    chat.send("Tell me")
    chat.until_text()
    chat.page.close()
    until(lambda: bool(wire.left_at), "the call stays open")


def test_both_asks_twice_and_shows_both(chat: Chat, here: Playground) -> None:
    chat.choose(SWIFT)
    chat.page.locator("#max-tokens input").fill("120")
    chat.mode("Both")
    chat.send("Compare")
    expect(chat.page.locator("#chat-live .race .lane")).to_have_count(2)
    expect(chat.page.locator("#chat-status")).to_contain_text("1 of 2")
    chat.finish()
    expect(chat.page.locator("#chat-history .pair .answer .md")).to_have_count(2)
    expect(chat.page.locator("#chat-history .saving")).to_have_text(
        re.compile(r"First text [\d.]+ s sooner with streaming")
    )
    second, first = here.rows()[:2]
    assert first.pair_id == second.pair_id is not None
    assert {first.mode, second.mode} == {"sync", "stream"}
    assert {first.order_in_pair, second.order_in_pair} == {1, 2}
    left, right = (chat.page.locator("#chat-history .pair .answer").nth(at).bounding_box() for at in (0, 1))
    assert left is not None
    assert right is not None
    assert left["x"] + left["width"] <= right["x"]


def test_a_complete_answer_waits_in_words(chat: Chat) -> None:
    chat.choose(SWIFT)
    chat.page.locator("#max-tokens input").fill("60")
    chat.mode("Complete")
    chat.send("Why?")
    expect(chat.page.locator("#chat-live .nothing")).to_have_text("Nothing to read until the whole answer is there.")
    expect(chat.word).to_have_text("waiting")
    chat.finish()
    expect(chat.page.locator("#chat-history .figures")).to_contain_text("all at once")


def test_a_reload_keeps_the_conversation_with_the_partial_answer(visitors: Any, here: Playground) -> None:
    # A page that goes away cuts its own connection, and Gradio complains of that.
    chat = visitors(here.url, forgiven=("AbortError", "errored out"))
    chat.page.set_viewport_size({"width": 900, "height": 420})
    chat.choose(SWIFT)
    chat.short()
    chat.ask("First question")
    chat.page.locator("#max-tokens input").fill("300")
    chat.choose(STEADY)
    chat.send("Second question")
    chat.until_text()
    chat.page.reload()
    chat.ready()
    expect(chat.questions).to_have_text(["First question", "Second question"])
    expect(chat.answers).to_have_count(2)
    expect(chat.page.locator("#chat-history .badge", has_text="stopped")).to_be_visible()
    chat.page.wait_for_function(AT_END)
    assert here.rows()[0].status == "cancelled"
    stored = chat.page.evaluate("JSON.stringify({...sessionStorage, ...localStorage})")
    assert "question" not in stored


def test_a_duplicated_tab_is_a_conversation_of_its_own_and_stops_nothing(chat: Chat, here: Playground) -> None:
    chat.choose(STEADY)
    chat.page.locator("#max-tokens input").fill("120")
    chat.send("Is it still written?")
    chat.until_text()
    with duplicate(chat.page) as page:
        other = Chat(page)
        page.wait_for_function("(key) => ![key, ''].includes(window.playground?.key() ?? '')", arg=key_of(chat.page))
        expect(other.box).to_be_visible()
        expect(other.questions).to_have_count(0)
        chat.finish()
        expect(chat.word).to_have_text("done")
        own = key_of(page)
        page.reload()
        other.ready()
        assert key_of(page) == own
    assert here.rows()[0].status == "completed"


def test_what_was_said_before_reaches_the_model_again(far_chat: Chat, wire: WireServer) -> None:
    wire.reply_with(stream([*text_frames("Four."), *stop_frames()]))
    far_chat.type_model(TALKER)
    far_chat.ask("What is two and two?")
    far_chat.ask("And doubled?")
    sent = wire.asked[-1].body["messages"]
    assert [turn["content"][0]["text"] for turn in sent] == ["What is two and two?", "Four.", "And doubled?"]


def test_regenerate_edit_copy_and_clear(chat: Chat) -> None:
    chat.choose(SWIFT)
    chat.short()
    chat.ask("First")
    chat.ask("Second")
    chat.taken(chat.page.locator("[data-act=again]").click)
    chat.finish()
    expect(chat.questions).to_have_text(["First", "Second"])
    chat.page.locator("#chat-history [data-act=copy]").last.click()
    copied = chat.page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("*This answer is simulated")
    first = chat.page.locator("#chat-history .question").first
    first.hover()
    first.locator("[data-act=edit]").click()
    first.locator("textarea").fill("Changed")
    chat.taken(lambda: first.locator("textarea").press("Enter"))
    chat.finish()
    expect(chat.questions).to_have_text(["Changed"])
    chat.page.locator("#chat-clear").click()
    expect(chat.page.locator(".welcome")).to_be_visible()
    expect(chat.word).to_have_text("ready")


def test_a_sample_sends_itself_in_the_mode_that_it_shows(chat: Chat) -> None:
    chat.choose(SWIFT)
    chat.short()
    chat.taken(chat.page.locator(".sample", has_text="Wait for the whole answer").click)
    expect(chat.page.locator("#mode label.selected")).to_have_text("Complete")
    chat.finish()
    expect(chat.questions).to_have_text(["Explain in simple words how a rainbow forms."])


def test_keys(chat: Chat, here: Playground) -> None:
    before = len(here.rows())
    chat.choose(SWIFT)
    chat.page.locator("#max-tokens input").fill("100")
    chat.box.fill("one")
    chat.box.press("Shift+Enter")
    chat.page.keyboard.type("two")
    assert chat.box.input_value() == "one\ntwo"
    chat.box.dispatch_event("keydown", {"key": "Enter", "isComposing": True, "keyCode": 229})
    chat.box.dispatch_event("keypress", {"key": "Enter", "isComposing": True})
    chat.box.press("Enter")
    chat.box.press("Enter")
    expect(chat.page.locator(BUSY)).to_have_count(1)
    expect(chat.box).to_have_value("")
    chat.page.keyboard.type("typed meanwhile")
    chat.finish()
    expect(chat.box).to_have_value("typed meanwhile")
    expect(chat.questions).to_have_text(["one\ntwo"])
    assert len(here.rows()) == before + 1


def test_people_do_not_wait_for_each_other(visitors: Any, here: Playground) -> None:
    one, two = visitors(here.url), visitors(here.url, locale="de-DE")  # an option makes a window of its own
    for chat in (one, two):
        chat.choose(STEADY)
    one.send("Mine")
    two.send("Yours")
    one.until_text()
    two.until_text()
    assert one.page.locator(BUSY).count() == two.page.locator(BUSY).count() == 1
    expect(one.questions).to_have_text(["Mine"])
    expect(two.questions).to_have_text(["Yours"])
    for chat in (one, two):
        chat.page.locator("#chat-stop").click()
        chat.finish()


def test_the_newest_text_is_followed_until_somebody_scrolls_up(visitors: Any, here: Playground) -> None:
    chat = visitors(here.url, viewport={"width": 900, "height": 420})
    chat.choose(STEADY)
    chat.send("Why?")
    chat.page.wait_for_function(AT_END)
    chat.page.mouse.move(600, 200)
    chat.page.mouse.wheel(0, -2000)
    expect(chat.page.locator("#jump")).to_be_visible()
    before = chat.live.inner_text()
    expect(chat.live).not_to_have_text(before)
    assert chat.page.evaluate("document.scrollingElement.scrollTop") < 200
    chat.page.locator("#jump").click()
    chat.page.wait_for_function(AT_END)
    expect(chat.page.locator("#jump")).to_be_hidden()
    chat.page.keyboard.press("Escape")
    chat.finish()


# --- what goes wrong --------------------------------------------------------------------------------------------------


def test_an_empty_prompt_is_told_at_the_prompt(chat: Chat, here: Playground) -> None:
    before = len(here.rows())
    chat.page.locator("#chat-send").click()
    expect(chat.problem).to_have_text("Prompt is required: write what the model should answer.")
    expect(chat.page.locator("#chat-prompt.invalid")).to_have_count(1)
    expect(chat.page.locator(".welcome")).to_be_visible()
    assert len(here.rows()) == before


BAD_VALUES = (
    ("temperature", "3", "0.7", r"temperature must be between 0 and 1 for .*; you gave 3"),
    ("max-tokens", "0", "30", r"max_tokens must be a whole number, at least 1"),
    ("top-p", "1.5", "", r"top_p must be between 0 and 1 for .*; you gave 1\.5"),
    ("top-p", "much", "", r"top_p must be a number between 0 and 1"),
)


def test_a_bad_value_is_told_at_its_widget_and_the_prompt_is_kept(chat: Chat) -> None:
    chat.choose(SWIFT)
    chat.box.fill("Keep me")
    for field, bad, good, said in BAD_VALUES:
        widget = chat.page.locator(f"#{field} input").first
        widget.fill(bad)
        chat.box.press("Enter")
        expect(chat.problem).to_have_text(re.compile(said))
        expect(chat.page.locator(f"#{field}.invalid + .field-problem")).to_have_text(re.compile(said))
        expect(chat.box).to_have_value("Keep me")
        widget.fill(good)
    chat.short()
    chat.taken(lambda: chat.box.press("Enter"))
    expect(chat.page.locator(".field-problem, .invalid")).to_have_count(0)
    expect(chat.box).to_have_value("")
    chat.finish()


def test_a_prompt_longer_than_the_context_is_kept(chat: Chat) -> None:
    chat.box.fill("word " * 6000)
    chat.box.press("Enter")
    expect(chat.problem).to_contain_text("takes 4,096 together with its answer. Shorten it")
    assert len(chat.box.input_value()) == 30_000


def test_an_aws_model_without_credentials_says_what_to_do(chat: Chat) -> None:
    chat.type_model("us.amazon.nova-micro-v1:0")
    chat.box.fill("Hello")
    chat.box.press("Enter")
    expect(chat.problem).to_contain_text("runs on AWS, and this playground runs without an AWS account")
    expect(chat.page.locator("#model.invalid")).to_have_count(1)
    expect(chat.box).to_have_value("Hello")
    chat.choose(SWIFT)
    chat.short()
    chat.taken(lambda: chat.box.press("Enter"))
    expect(chat.problem).to_have_count(0)
    chat.finish()


def test_a_model_that_refuses_temperature_shows_why(chat: Chat) -> None:
    chat.type_model("global.anthropic.claude-opus-5")
    slider = chat.page.locator("#temperature")
    expect(slider).to_contain_text("This model chooses by itself; temperature is not sent.")
    expect(slider.locator("input[type=range]")).to_be_disabled()
    chat.choose(SWIFT)
    expect(slider.locator("input[type=range]")).to_be_enabled()


def test_a_failure_of_the_service_stays_with_its_question_and_can_be_retried(
    far_chat: Chat, far: Playground, wire: WireServer
) -> None:
    wire.reply_with(
        failure("403 Forbidden", "AccessDeniedException", "no"), stream([*text_frames("There."), *stop_frames()])
    )
    far_chat.type_model(TALKER)
    far_chat.ask("May I?")
    expect(far_chat.word).to_have_text("failed")
    failed = far_chat.page.locator("#chat-history .failure")
    expect(failed).to_contain_text(re.compile(r"\w+ .*\."))
    failed.locator("summary").click()
    expect(failed).to_contain_text("AccessDeniedError · request id wire-1")
    expect(far_chat.questions).to_have_text(["May I?"])
    expect(far_chat.box).to_have_value("May I?")
    assert far.rows()[0].status == "failed"
    far_chat.taken(failed.locator("[data-act=again]").click)
    expect(far_chat.answers).to_have_text("There.")
    expect(far_chat.questions).to_have_text(["May I?"])
    expect(failed).to_have_count(0)


def test_a_stream_that_breaks_keeps_its_text(far_chat: Chat, far: Playground, wire: WireServer) -> None:
    wire.reply_with(
        stream(text_frames("Half an ans")),
        failure("400 Bad Request", "ValidationException", "no"),
    )
    far_chat.type_model(TALKER)
    far_chat.ask("Tell me")
    expect(far_chat.word).to_have_text("failed")
    expect(far_chat.answers).to_have_text("Half an ans")
    expect(far_chat.page.locator("#chat-history [data-act=again]", has_text="Retry")).to_be_visible()
    assert far.rows()[0].response == "Half an ans"


HOSTILE = """# <img src=https://evil.example/1.png onerror=alert(1)>

![pixel](https://evil.example/2.png) <script>alert(2)</script> [x](javascript:alert(3))

<iframe src="https://evil.example/3"></iframe><style>@import url(https://evil.example/4.css)</style>

| <img src=https://evil.example/5.png> |
|---|
| <div style="background:url(https://evil.example/6.png)"> |

```
<img src=https://evil.example/7.png>
```
"""


def test_a_hostile_answer_loads_nothing_and_runs_nothing(far_chat: Chat, wire: WireServer) -> None:
    """The fixture counts requests to other hosts, dialogs and errors."""
    pieces = [HOSTILE[at : at + 9] for at in range(0, len(HOSTILE), 9)]
    wire.reply_with(stream([*text_frames(*pieces), *stop_frames()]))
    far_chat.type_model(TALKER)
    far_chat.ask("<img src=https://evil.example/0.png onerror=alert(0)>")
    expect(far_chat.answers).to_contain_text("[image not loaded: evil.example]")
    expect(far_chat.answers).to_contain_text("<script>alert(2)</script>")
    assert far_chat.page.locator("#chat-output :is(img, iframe, style, script)").count() == 0
    far_chat.page.get_by_role("tab", name="Runs").click()
    far_chat.page.locator("#runs-table .virtual-row [role=gridcell]").first.click()
    expect(far_chat.page.locator("#run-details")).to_contain_text("[image not loaded: evil.example]")
