"""Shelfwise: put every product on the right shelf."""

__version__ = "0.1.0"
