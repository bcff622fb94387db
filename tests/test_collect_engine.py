"""Scrapy, with everything switched off that it must not do."""

import subprocess
import sys

from scrape_shop import environment

ASK = """
from pathlib import Path
from scrapy.crawler import Crawler
from scrapy.settings import Settings
from shelfwise.addresses import Rules
from shelfwise.collect import engine
from shelfwise.collect.frontier import Frontier
from shelfwise.collect.job import Job, Settings as Asked
from shelfwise.collect.polite import Pace
from shelfwise.collect.web import Web
import sys

job = Job(Asked(("https://a.example/",)), Frontier(Path(sys.argv[1])), Web(Rules(), Pace(1.0), "me"), "shelfwise")
settings = Settings(engine.settings_of(job))
handlers = {name for name, one in settings.getwithbase("DOWNLOAD_HANDLERS").items() if one is not None}
assert handlers == {"http", "https"}, handlers
off = ("TELNETCONSOLE", "REMOTE_CONTROL", "COOKIES", "REDIRECT", "METAREFRESH", "RETRY", "HTTPPROXY", "HTTPCACHE")
assert not any(settings.getbool(f"{name}_ENABLED") for name in off)
assert settings.getbool("DOWNLOAD_VERIFY_CERTIFICATES")
crawler = Crawler(engine.JobSpider, settings)
scheduler = engine.JobScheduler.from_crawler(crawler)
scheduler.open(engine.JobSpider(job))
assert scheduler.at_once == 1
assert not scheduler.has_pending_requests()
assert not scheduler.enqueue_request(engine.Request("https://a.example/"))
print("fine")
"""


def test_what_scrapy_must_not_do_is_off(tmp_path):
    words = [sys.executable, "-W", "error", "-c", ASK, str(tmp_path / "x.crawl")]
    done = subprocess.run(words, capture_output=True, text=True, env=environment(), timeout=60)

    assert done.stdout == "fine\n", done.stderr
