"""Chromium with the review page in it, for tests and screenshots; it counts everything that must not be."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from review_client import Client

FLAGS = (
    "--no-sandbox", "--disable-dev-shm-usage", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist", "--font-render-hinting=none",
)  # fmt: skip
WATCH = """
window.violations = 0;
document.addEventListener("securitypolicyviolation", () => { window.violations += 1; });
"""


def chromium() -> str | None:
    """Where the browser is, None where there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextmanager
def here(doubts: Path, decisions: Path) -> Iterator[Client]:
    """A server in a thread of this process: it is up sooner than one of its own, `review_client.served`."""
    import uvicorn

    from shelfwise.review import DeskOptions, ServerOptions, open_desk, open_socket
    from shelfwise.review.app import build_app
    from shelfwise.review.server import address_of

    desk = open_desk(doubts, DeskOptions(decisions=decisions))
    bound = open_socket(ServerOptions())
    bound.listen()
    config = uvicorn.Config(build_app(desk), lifespan="off", log_level="warning", ws="none", loop="asyncio")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    try:
        yield Client(address_of(bound))
    finally:
        server.should_exit = True
        server.force_exit = True
        thread.join(10)
        bound.close()
        desk.close()


@contextmanager
def launched() -> Iterator[Any]:
    """A browser until the end of the block."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Tab:
    """A page of the review, and what went wrong in it."""

    page: Any
    address: str
    errors: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def open(self, ready: str = ".details") -> None:
        """Load the page and wait for its first product."""
        self.page.goto(self.address)
        self.page.wait_for_selector(ready)

    def current(self) -> int:
        """The doubt that is shown."""
        return int(self.page.locator(".product").get_attribute("data-id"))

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def wait_for(self, number: int) -> None:
        """Wait until a doubt is shown with everything about it."""
        self.page.wait_for_selector(f'.product[data-id="{number}"] .details')

    def saved(self) -> None:
        """Wait until nothing is on its way any more."""
        self.until("!document.querySelector('.top .chip')")

    def idle(self) -> None:
        """Wait until the list is what the server says."""
        self.page.wait_for_load_state("networkidle")

    def total(self) -> int:
        """How many products the list says that it has."""
        self.until("/^[0-9,]+ product/.test(document.querySelector('.summary strong').textContent)")
        return int(self.page.locator(".summary strong").inner_text().split()[0].replace(",", ""))

    def until(self, condition: str, seconds: float = 30) -> None:
        """Wait until JavaScript is true; playwright's own way would need unsafe-eval."""
        end = time.monotonic() + seconds
        while not self.page.evaluate(condition):
            assert time.monotonic() < end, f"never became true: {condition}"
            self.page.wait_for_timeout(20)

    def violations(self) -> int:
        """What the content security policy has refused."""
        return int(self.page.evaluate("window.violations"))


@contextmanager
def tab(browser: Any, address: str, who: str = "Ada", **context: Any) -> Iterator[Tab]:
    """A tab of its own, with its own store, until the end of the block."""
    options = {"viewport": {"width": 1280, "height": 800}} | context
    opened = browser.new_context(**options)
    page = opened.new_page()
    made = Tab(page, address)
    home = urlsplit(address).netloc

    def asked(request: Any) -> None:
        where = urlsplit(request.url)
        if where.scheme not in ("data", "blob") and where.netloc != home:
            made.foreign.append(request.url)

    def answered(dialog: Any) -> None:
        if dialog.type == "beforeunload":  # the page asks before something unsaved is left
            dialog.accept()
        else:
            made.dialogs.append(dialog.message)
            dialog.dismiss()

    page.on("pageerror", lambda error: made.errors.append(str(error)))
    page.on("console", lambda m: made.errors.append(m.text) if m.type in ("error", "warning") else None)
    page.on("dialog", answered)
    page.on("request", asked)
    page.add_init_script(WATCH)
    if who:
        page.add_init_script(f"localStorage.setItem('shelfwise.reviewer', {who!r})")
    try:
        yield made
    finally:
        opened.close()
