"""The demo shop as a web shop to try a scraper on, and the truth about what a scrape has to find."""

from __future__ import annotations

from shelfwise.demo.site.server import ShopOptions, WebShop, running

__all__ = ["ShopOptions", "WebShop", "running"]
