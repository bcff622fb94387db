"""A generated shop to try everything on: no download, the same for everybody, its planted faults known."""

from __future__ import annotations

from shelfwise.demo.shop import DemoShop, generate

__all__ = ["DemoShop", "generate"]
