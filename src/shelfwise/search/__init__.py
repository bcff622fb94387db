"""Hyper-parameter search over a recipe with a budget in minutes (Optuna)."""

from __future__ import annotations

from shelfwise.search.space import Space, default_space, parse_space
from shelfwise.search.study import Search, Trial, search
from shelfwise.search.validation import SearchOptions

__all__ = ["Search", "SearchOptions", "Space", "Trial", "default_space", "parse_space", "search"]
