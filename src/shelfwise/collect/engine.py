"""The engine: Scrapy, with a job as its scheduler, its spider and its way to the web.

Scrapy runs the requests, some at a time, host by host. Everything that it could do by itself and must not
(cookies, redirects, retries, remote control, files, data addresses) is switched off.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from scrapy import Request, Spider
from scrapy.core.scheduler import BaseScheduler
from scrapy.crawler import AsyncCrawlerProcess
from scrapy.http import Response

from shelfwise.collect.browser import Browser
from shelfwise.collect.frontier import FrontierError
from shelfwise.collect.job import Job
from shelfwise.collect.web import Answer, FetchError

if TYPE_CHECKING:
    from scrapy.crawler import Crawler
    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure

AT_ONCE = 8  # requests at once where no delay is kept
_NOWHERE = "http://nowhere.invalid/"


def settings_of(job: Job) -> dict[str, Any]:
    """Scrapy's settings for a job."""
    return {
        "SCHEDULER": JobScheduler,
        "DOWNLOAD_HANDLERS": {
            "http": JobHandler, "https": JobHandler, "file": None, "data": None, "ftp": None, "s3": None,
        },
        "CONCURRENT_REQUESTS": 2 * AT_ONCE,
        "CONCURRENT_REQUESTS_PER_DOMAIN": AT_ONCE,
        "DOWNLOAD_DELAY": 0,  # `Pace` keeps it, for the browser's requests too
        "DOWNLOAD_VERIFY_CERTIFICATES": True,
        "HTTPERROR_ALLOW_ALL": True,
        **dict.fromkeys(
            (
                "TELNETCONSOLE_ENABLED", "REMOTE_CONTROL_ENABLED", "ROBOTSTXT_OBEY", "RETRY_ENABLED",
                "REDIRECT_ENABLED", "METAREFRESH_ENABLED", "COOKIES_ENABLED", "COMPRESSION_ENABLED",
                "HTTPPROXY_ENABLED", "HTTPCACHE_ENABLED", "REFERER_ENABLED", "AUTOTHROTTLE_ENABLED",
                "MEMUSAGE_ENABLED", "STATS_DUMP",
            ),
            False,
        ),
        "USER_AGENT": job.web.agent,
        "LOG_LEVEL": "ERROR",
        "LOG_VERSIONS": [],
        "LOGSTATS_INTERVAL": 0,
    }  # fmt: skip


def run(job: Job) -> None:
    """Crawl until all is done or the job is stopped. Once a process: it has one event loop."""
    process = AsyncCrawlerProcess(settings_of(job))
    crawler = process.create_crawler(JobSpider)
    process.crawl(crawler, job=job)
    process.start()
    if job.error is not None:
        raise job.error
    reason = crawler.stats.get_value("finish_reason") if crawler.stats else None
    if reason == "shutdown":
        job.stopped = "interrupted"


class JobSpider(Spider):
    """Hands answers to the job."""

    name = "shelfwise"

    def __init__(self, job: Job) -> None:
        super().__init__()
        self.job = job

    async def start(self) -> AsyncIterator[Any]:
        """Prepare the job; what is asked for comes from its frontier."""
        try:
            await self.job.prepare()
        except FrontierError as error:
            self._end(error)
        for request in list[Request]():  # nothing comes in this way; a generator is what Scrapy wants
            yield request

    def parse(self, response: Response, **_: Any) -> None:  # noqa: ANN401
        """Take an answer."""
        row, rendered = response.meta["row"], response.meta["rendered"]
        headers = response.headers.to_unicode_dict()
        listed = tuple((str(name), str(value)) for name, value in headers.items())
        try:
            self.job.answered(row, Answer(response.status, listed, response.body), rendered)
        except Exception as error:  # the crawl's state is safe; go no further without knowing why
            self._end(error)

    def failed(self, failure: Failure) -> None:
        """Take that there is no answer."""
        row = failure.request.meta["row"]  # type: ignore[attr-defined]
        error = failure.value
        if not isinstance(error, FetchError):
            self._end(error)
            return
        try:
            self.job.failed(row, error.code)
        except Exception as wrong:
            self._end(wrong)

    def _end(self, error: BaseException | None) -> None:
        self.job.error = self.job.error or (
            error if isinstance(error, Exception) else RuntimeError(repr(error))
        )
        self.job.stopped = self.job.stopped or "error"


class JobScheduler(BaseScheduler):
    """Gives the engine what the frontier has."""

    def __init__(self, crawler: Crawler) -> None:
        self.crawler = crawler
        self.timer: asyncio.TimerHandle | None = None

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> JobScheduler:
        """As Scrapy makes its parts."""
        return cls(crawler)

    def open(self, spider: Spider) -> None:
        """Begin."""
        self.job = spider.job  # type: ignore[attr-defined]
        self.at_once = 1 if self.job.settings.delay else AT_ONCE

    def close(self, reason: str) -> Deferred[None] | None:
        """End."""
        if self.timer is not None:
            self.timer.cancel()
        return None

    def has_pending_requests(self) -> bool:
        """Whether anything is left to ask for."""
        return not self.job.stopped and self.job.frontier.unfinished()

    def enqueue_request(self, request: Request) -> bool:
        """Nothing comes in this way."""
        return False

    def next_request(self) -> Request | None:
        """The next address, None where there is none now; then the engine is woken when there is one."""
        spider = self.crawler.spider
        assert isinstance(spider, JobSpider)
        try:
            row = self.job.claim(self.at_once)
        except FrontierError as error:
            spider._end(error)
            return None
        if row is None:
            self._wake_later()
            return None
        mode = self.job.settings.browser
        rendered = mode == "always" or (row.browser and mode == "auto" and bool(self.job.chromium))
        return Request(
            row.url, callback=spider.parse, errback=spider.failed, dont_filter=True,
            meta={"row": row, "rendered": rendered, "verbatim_url": True},
        )  # fmt: skip

    def _wake_later(self) -> None:
        import time

        due = self.job.frontier.next_due()
        if due is None or self.job.stopped or (self.timer is not None and not self.timer.cancelled()):
            return
        wait = min(max(due - time.time(), 0.0) + 0.01, 5.0)
        self.timer = asyncio.get_running_loop().call_later(wait, self._wake)

    def _wake(self) -> None:
        self.timer = None
        if self.crawler.engine.spider is not None:
            self.crawler.engine.crawl(Request(_NOWHERE))  # is not taken; the engine looks again


class JobHandler:
    """Scrapy's way to the web: the job's own, or a browser."""

    lazy = True

    def __init__(self, crawler: Crawler) -> None:
        self.crawler = crawler
        self.browser: Browser | None = None

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> JobHandler:
        """As Scrapy makes its parts."""
        return cls(crawler)

    async def download_request(self, request: Request) -> Response:
        """Get an answer.

        Raises:
            FetchError: there is none.

        """
        spider = self.crawler.spider
        assert isinstance(spider, JobSpider)
        row = request.meta["row"]
        if request.meta["rendered"] and row.kind == "page":
            if self.browser is None:
                self.browser = Browser(self.crawler, spider.job)
            return await self.browser.open(request)
        request.meta["rendered"] = False
        answer = await spider.job.fetch(row)
        headers: dict[str, list[str]] = {}
        for name, value in answer.headers:
            headers.setdefault(name, []).append(value)
        return Response(request.url, answer.status, headers, answer.body, request=request)

    async def close(self) -> None:
        """Close the browser and all connections."""
        if self.browser is not None:
            await self.browser.close()
        spider = self.crawler.spider
        if isinstance(spider, JobSpider):
            await spider.job.web.close()
