"""Browser: pages that a script has to fill, opened in Chromium by scrapy-playwright.

Each request of a page is checked as all others are: the address, robots.txt, the host's turn. Pictures, fonts
and styles are not loaded.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
from typing import TYPE_CHECKING, Any

from shelfwise.collect.buttons import press
from shelfwise.collect.traps import host_of
from shelfwise.collect.web import FetchError

if TYPE_CHECKING:
    from scrapy import Request
    from scrapy.crawler import Crawler
    from scrapy.http import Response

    from shelfwise.collect.job import Job

SECONDS = 30.0
CLOSING = 5.0  # seconds that a browser may take to close
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
HOW = (
    "No Chromium was found, so pages that a script has to fill are left out. Install one "
    "(`apt install chromium`, `playwright install chromium`) and run the same command again."
)
_LEFT_OUT = frozenset(("image", "font", "media", "stylesheet", "websocket", "manifest"))
_FLAGS = (
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--no-first-run",
    "--mute-audio",
)


def find_chromium() -> str:
    """Where a Chromium is that can be started; empty where there is none, or no scrapy-playwright."""
    try:
        import scrapy_playwright  # noqa: F401
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        return ""
    found = next((path for name in NAMES if (path := shutil.which(name))), "")
    if found:
        return found
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if os.path.exists(own) else ""


class Browser:
    """One Chromium, started when it is first needed, and again when it dies."""

    def __init__(self, crawler: Crawler, job: Job) -> None:
        self.job = job
        self._crawler = crawler
        self._handler: Any = None
        self._died: asyncio.Future[None]
        self._starting = asyncio.Lock()
        self._spoiled: set[str] = set()
        self._opening: set[str] = set()
        self._refused: set[str] = set()

    async def open(self, request: Request) -> Response:
        """Open a page and wait for its scripts.

        Raises:
            FetchError: it may not be opened, or could not be.

        """
        from playwright.async_api import Error, TimeoutError

        job, row = self.job, request.meta["row"]
        await job.allow(row.url)
        await job.web.check(row.url)
        await job.pace.turn(host_of(row.url))
        await self._started()
        job.asked, job.rendered = job.asked + 1, job.rendered + 1
        began = time.monotonic()
        self._spoiled.discard(row.url)
        self._opening.add(row.url)
        try:
            response = await self._opened(request.replace(meta=self._meta(request)))
        except TimeoutError as error:
            job.pace.answered(row.host, time.monotonic() - began, strained=True)
            raise FetchError("timeout") from error
        except Error as error:  # a browser that died, a reset
            job.pace.answered(row.host, time.monotonic() - began, strained=True)
            raise FetchError("browser", str(error)[:200]) from error
        finally:
            self._opening.discard(row.url)
        told = (response.headers.get("Retry-After") or b"").decode("latin-1")
        job.web.mind(row.host, response.status, told, time.monotonic() - began)
        if row.url in self._spoiled and response.status == 200:
            raise FetchError("browser", "a request of the page failed")
        return response.replace(request=request)

    async def close(self) -> None:
        """Close the browser; one that is dead cannot hold this up."""
        handler, self._handler = self._handler, None
        if handler is not None:
            with contextlib.suppress(Exception):  # of a browser that is gone
                await asyncio.wait_for(handler.close(), CLOSING)

    async def _opened(self, request: Request) -> Response:
        """The page as it is when its scripts are done; FetchError as soon as the browser dies under it."""
        opening = asyncio.ensure_future(self._handler.download_request(request))
        died = self._died
        await asyncio.wait({opening, died}, timeout=3 * SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if opening.done():
            response: Response = opening.result()
            return response
        opening.cancel()
        if self._died is died:
            await self.close()
        raise FetchError("browser", "the browser died, or did not answer")

    async def _started(self) -> None:
        async with self._starting:
            if self._handler is None:
                await self._start()

    async def _start(self) -> None:
        from scrapy_playwright.handler import ScrapyPlaywrightDownloadHandler

        root = hasattr(os, "geteuid") and os.geteuid() == 0  # Chromium has no sandbox for root
        options = {
            "executable_path": self.job.chromium, "chromium_sandbox": not root, "args": list(_FLAGS),
        }  # fmt: skip
        self._crawler.settings.frozen = False
        self._crawler.settings.setdict(
            {
                "PLAYWRIGHT_LAUNCH_OPTIONS": options, "PLAYWRIGHT_MAX_PAGES_PER_CONTEXT": 4,
                "PLAYWRIGHT_DEFAULT_NAVIGATION_TIMEOUT": 1000 * SECONDS,
            }
        )  # fmt: skip
        self._crawler.settings.freeze()
        handler = ScrapyPlaywrightDownloadHandler.from_crawler(self._crawler)
        handler.abort_request = self._refuses
        handler.browser_provider = handler.browser_provider_cls(handler.config)
        await handler.browser_provider.start()
        self._died = died = asyncio.get_running_loop().create_future()
        launch = handler.browser_provider.launch_browser

        async def watched() -> Any:  # noqa: ANN401 - playwright's browser
            browser = await launch()
            browser.on("disconnected", lambda _: None if died.done() else died.set_result(None))
            return browser

        handler.browser_provider.launch_browser = watched
        self._handler = handler

    def _meta(self, request: Request) -> dict[str, Any]:
        from scrapy_playwright.page import PageMethod

        return {
            **request.meta,
            "playwright": True,
            "playwright_context_kwargs": {
                "service_workers": "block",
                "accept_downloads": False,
                "user_agent": self.job.web.agent,
            },
            "playwright_page_goto_kwargs": {"wait_until": "domcontentloaded"},
            "playwright_page_methods": [
                PageMethod("wait_for_load_state", "networkidle", timeout=1000 * SECONDS),
                PageMethod(press, self.job.pace.gap(host_of(request.url))),
            ],
            "playwright_page_event_handlers": {
                "response": lambda response: self._heard(request.url, response),
                "requestfailed": lambda failed: self._missed(request.url, failed),
            },
        }

    async def _refuses(self, asked: Any) -> bool:  # noqa: ANN401 - playwright's request
        """Whether a request of a page is not let through; it waits for its turn otherwise."""
        if asked.resource_type in _LEFT_OUT or asked.method not in ("GET", "HEAD", "POST", "OPTIONS"):
            return True
        if asked.is_navigation_request() and asked.url in self._opening:
            return False  # the page itself: it was checked, and had its turn
        try:
            await self.job.web.check(asked.url)
            if host_of(asked.url) in self.job.hosts:
                await self.job.allow(asked.url)
                await self.job.pace.turn(host_of(asked.url))
        except FetchError:
            self._refused.add(asked.url)
            return True
        return False

    def _heard(self, page: str, response: Any) -> None:  # noqa: ANN401
        host = host_of(response.url)
        if response.url != page and host in self.job.hosts:
            self.job.web.mind(host, response.status, response.headers.get("retry-after", ""), 0.0)
            if response.status == 429 or response.status >= 500:
                self._spoiled.add(page)

    def _missed(self, page: str, failed: Any) -> None:  # noqa: ANN401
        ours = host_of(failed.url) in self.job.hosts and failed.url not in self._refused
        if ours and failed.resource_type in ("fetch", "xhr", "script"):
            self._spoiled.add(page)
