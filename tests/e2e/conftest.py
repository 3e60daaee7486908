"""The real thing: the playground as a process of its own, and Debian's Chromium in front of it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Dialog,
    Page,
    Request,
    ViewportSize,
    expect,
    sync_playwright,
)

from metrics.record import RunRecord
from metrics.run_log import RunLog
from tests.wire import WireServer, wire_server

ROOT = Path(__file__).parent.parent.parent
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]
BUSY = "#chat-strip .strip[data-busy='true']"
IDLE = "#chat-strip .strip[data-busy='false']"
DESK: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 844}
NO_SIDEWAYS = "document.documentElement.scrollWidth <= window.innerWidth"

expect.set_options(timeout=15_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs a browser, and time: on a busy machine the start of a server alone takes half a minute."""
    for item in items:
        if "e2e" in item.path.parts:
            item.add_marker("e2e")
            item.add_marker(pytest.mark.timeout(180))


# --- the playground ---------------------------------------------------------------------------------------------------


@dataclass
class Playground:
    """The server as a process; `url` once it runs, `log` the path of its run log."""

    log: Path
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None
    url: str = ""

    def start(self) -> None:
        """Starts it, on a free port the first time and on the same one again, and reads its address from what it
        prints."""
        port = self.url.rsplit(":", 1)[-1] or "0"
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PLAYGROUND_"))}
        self.process = subprocess.Popen(
            [sys.executable, "playground.py", "serve", "--port", port, "--log-url", f"sqlite:///{self.log}"],
            cwd=ROOT,
            env={**plain, **self.environment, "AWS_EC2_METADATA_DISABLED": "true"},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().split()[-1]

    def stop(self, *, kill: bool = False) -> None:
        """Ends it in an orderly way, or without any warning."""
        if self.process is not None:
            if kill:
                self.process.kill()
            else:
                self.process.terminate()
            self.process.wait(10)
            if self.process.stdout is not None:
                self.process.stdout.close()
            self.process = None

    def rows(self) -> list[RunRecord]:
        """The run log as it is on the disk, newest first."""
        with RunLog(f"sqlite:///{self.log}") as log:
            return log.recent(1000)

    def cpu_s(self) -> float:
        """Processor time that the process and its threads have used."""
        assert self.process is not None
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def playground(log: Path, **environment: str) -> Iterator[Playground]:
    running = Playground(log, environment)
    running.start()
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Playground]:
    """A playground on a machine without AWS."""
    with playground(tmp_path_factory.mktemp("here") / "runs.db") as running:
        yield running


@pytest.fixture(scope="session")
def wire() -> Iterator[WireServer]:
    with wire_server() as server:
        yield server


@pytest.fixture(scope="session")
def far(tmp_path_factory: pytest.TempPathFactory, wire: WireServer) -> Iterator[Playground]:
    """A playground whose AWS is a scripted wire."""
    log = tmp_path_factory.mktemp("far") / "runs.db"
    with playground(log, AWS_ENDPOINT_URL_BEDROCK_RUNTIME=wire.url) as running:
        yield running


# --- the browser ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="package")  # no longer: while Playwright runs, no other test can run an event loop
def browser() -> Iterator[Browser]:
    """Chromium as the system has it; nothing is downloaded."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no Chromium here: install Debian's chromium to run the browser tests")
    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=found, args=FLAGS)
        yield running
        running.close()


@dataclass
class Visitor:
    """A browser window that notes what should not happen."""

    page: Page
    forgiven: Sequence[str] = ()
    complaints: list[str] = field(default_factory=list)

    def open(self, url: str) -> Chat:
        """The page, ready to be used."""
        own = urlsplit(url).netloc

        def note_request(request: Request) -> None:
            parts = urlsplit(request.url)
            if parts.scheme not in ("data", "blob") and parts.netloc != own:
                self.complaints.append(f"asked another host: {request.url}")

        def note_console(message: ConsoleMessage) -> None:
            if message.type == "error" and not any(words in message.text for words in self.forgiven):
                self.complaints.append(f"console: {message.text}")

        def note_dialog(dialog: Dialog) -> None:
            self.complaints.append(f"dialog: {dialog.message}")
            dialog.dismiss()

        self.page.on("request", note_request)
        self.page.on("console", note_console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        self.page.on("dialog", note_dialog)
        chat = Chat(self.page)
        self.page.goto(url)
        chat.ready()
        return chat


def pick(page: Page, elem_id: str, label: str) -> None:
    """Chooses from a list by words of the label, among its own options: those of another list may still be fading."""
    page.locator(f"#{elem_id} input").click()
    page.locator(f"#{elem_id} ul[role=listbox] li", has_text=label).click()


class Chat:
    """What a person does on the page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.box = page.locator("#chat-prompt textarea")
        self.live = page.locator("#chat-live .md")
        self.answers = page.locator("#chat-history .answer .md")
        self.questions = page.locator("#chat-history .question .bubble")
        self.word = page.locator("#chat-status .word")
        self.problem = page.locator("#chat-problem .problem")

    def ready(self) -> None:
        """The page is drawn, knows its conversation and answers to clicks."""
        self.page.wait_for_function("() => window.playground?.key()")
        expect(self.box).to_be_visible()

    def choose(self, label: str) -> None:
        """Picks a model from the list."""
        pick(self.page, "model", label)

    def type_model(self, model_id: str) -> None:
        """Types an id that is not in the list."""
        self.page.locator("#model input").fill(model_id)
        self.page.keyboard.press("Enter")
        self.page.keyboard.press("Tab")

    def mode(self, word: str) -> None:
        self.page.locator("#mode label", has_text=word).click()

    def short(self) -> None:
        """Answers that are over soon, for tests in which they do not matter."""
        self.page.locator("#max-tokens input").fill("30")

    def taken(self, act: Callable[[], None]) -> None:
        """Does something that asks, and waits until the page has a new turn."""
        last = "document.querySelector('#chat-history .turn:last-child')?.dataset.turn || ''"
        before = self.page.evaluate(last)
        act()
        self.page.wait_for_function(f"(before) => ({last}) !== before", arg=before)

    def send(self, prompt: str) -> None:
        """Asks, and waits until the page has taken the question."""
        self.box.fill(prompt)
        self.taken(lambda: self.box.press("Enter"))

    def ask(self, prompt: str) -> None:
        """Asks, and waits for the end of the answer."""
        self.send(prompt)
        self.finish()

    def finish(self) -> None:
        expect(self.page.locator(IDLE)).to_have_count(1, timeout=40_000)

    def until_text(self) -> None:
        """Until there is something of the live answer to read."""
        expect(self.live.last).to_have_text(re.compile(r"\w{2}"), timeout=20_000)


@pytest.fixture(scope="package")
def desk(browser: Browser) -> Iterator[BrowserContext]:
    """A window of the usual size with its cache; each tab in it is a conversation of its own."""
    with contextlib.closing(_context(browser)) as context:
        yield context


def _context(browser: Browser, **options: Any) -> BrowserContext:
    context = browser.new_context(**{"viewport": DESK, "color_scheme": "light", **options})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    context.set_default_timeout(15_000)
    return context


@pytest.fixture
def visitors(browser: Browser, desk: BrowserContext) -> Iterator[Any]:
    """Makes tabs, with options windows of their own, each a person of its own. At the end nothing may have gone wrong
    in any of them but what is forgiven: words in the messages of Gradio's own script, in a list for as long as they
    are in it."""
    made: list[Visitor] = []
    contexts: list[BrowserContext] = []

    def visit(url: str, forgiven: Sequence[str] = (), **options: Any) -> Chat:
        context = desk
        if options:
            context = _context(browser, **options)
            contexts.append(context)
        visitor = Visitor(context.new_page(), forgiven)
        made.append(visitor)
        return visitor.open(url)

    yield visit
    for visitor in made:
        visitor.page.close()
    for context in contexts:
        context.close()
    assert [complaint for visitor in made for complaint in visitor.complaints] == []


@contextlib.contextmanager
def duplicate(page: Page) -> Iterator[Page]:
    """The page once more in a tab of its own: as with a browser's Duplicate its storage is a copy."""
    with page.expect_popup() as opened:
        page.evaluate("() => { window.open(location.href); }")
    try:
        yield opened.value
    finally:
        opened.value.close()


def key_of(page: Page) -> str:
    """The key of the page's conversation."""
    return str(page.evaluate("window.playground?.key() ?? ''"))


@pytest.fixture
def chat(visitors: Any, here: Playground) -> Chat:
    """One person in front of the playground on this machine."""
    opened: Chat = visitors(here.url)
    return opened


@pytest.fixture
def far_chat(visitors: Any, far: Playground) -> Chat:
    """One person in front of the playground whose AWS is scripted."""
    opened: Chat = visitors(far.url)
    return opened
