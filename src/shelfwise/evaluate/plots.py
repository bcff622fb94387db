"""The figures of the report, as plain plotly figures (`{"data": [...], "layout": {...}}`, ready for JSON).

Colours are names of the page's CSS variables, `var(--right)` and the like, which the page's script puts in
when it draws: one figure then serves light, dark and print. The palette is Okabe and Ito's (2008), which
colour-blind readers can tell apart. All shares are given in per cent. Category names never enter a figure
unescaped: plotly reads HTML.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.evaluate.matrix import Matrix
from shelfwise.evaluate.metrics import Headline, Level
from shelfwise.evaluate.outcome import Outcome
from shelfwise.evaluate.reliability import Coverage, Kept, Reliability

Figure = dict[str, Any]

SCORES = {"accuracy": "exactly right", "weighted_f1": "weighted F1", "macro_f1": "macro F1"}
_COLOURS = {"accuracy": "var(--right)", "weighted_f1": "var(--second)", "macro_f1": "var(--wrong)"}
_CURVE_POINTS = 400
_SIZES = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


def layout(x: str, y: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401  plotly's own layout keys
    """Return the layout that all figures share, with the titles of both axes; `more` overrides it."""
    axis = {"gridcolor": "var(--line)", "zeroline": False, "linecolor": "var(--line)", "automargin": True}
    return {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "inherit", "size": 13, "color": "var(--ink)"},
        "margin": {"l": 56, "r": 16, "t": 16, "b": 48},
        "hoverlabel": {
            "bgcolor": "var(--card)", "bordercolor": "var(--line)", "align": "left",
            "font": {"color": "var(--ink)"},
        },
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom"},
        "xaxis": {**axis, "title": {"text": x, "font": {"size": 13}}},
        "yaxis": {**axis, "title": {"text": y, "font": {"size": 13}}},
        "colorway": ["var(--right)", "var(--wrong)", "var(--second)", "var(--third)"],
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": "var(--muted)", "activecolor": "var(--ink)"},
        "height": 360,
        **more,
    }  # fmt: skip


def escape(name: str) -> str:
    """Return a name as text that plotly shows as it is."""
    return html.escape(name, quote=False)


def draw_levels(levels: Sequence[Level], names: Sequence[str]) -> Figure:
    """Draw the scores of each level with their 95 % intervals; `names`: what to call each level."""
    return _draw_headlines([level.headline for level in levels], names)


def draw_views(overall: Headline, by_view: Mapping[str, Headline]) -> Figure:
    """Draw the scores of each view alone beside those of all together."""
    return _draw_headlines([*by_view.values(), overall], [*by_view, "all together"])


def _draw_headlines(headlines: Sequence[Headline], names: Sequence[str]) -> Figure:
    traces = []
    rows = np.arange(len(headlines))[::-1]
    for place, (score, label) in enumerate(SCORES.items()):
        values = np.array([getattr(headline, score) for headline in headlines])
        ends = np.array([headline.intervals.get(score, (value, value)) for headline, value in
                         zip(headlines, values, strict=True)]).reshape(-1, 2)  # fmt: skip
        bars = {"type": "data", "symmetric": False, "thickness": 2, "width": 4}
        traces.append({
            "type": "scatter", "mode": "markers", "name": label,
            "x": _percent(values), "y": (rows + 0.18 * (1 - place)).round(2).tolist(),
            "error_x": {**bars, "array": _percent(ends[:, 1] - values),
                        "arrayminus": _percent(values - ends[:, 0])},
            "customdata": _percent(ends),
            "marker": {"size": 10, "color": _COLOURS[score]},
            "hovertemplate": f"{label}: %{{x:.1f}} % (%{{customdata[0]:.1f}} to %{{customdata[1]:.1f}})"
                             "<extra></extra>",
        })  # fmt: skip
    figure = layout("score, %", "", height=130 + 62 * len(headlines))
    figure["yaxis"] |= {"tickvals": rows.tolist(), "ticktext": [escape(name) for name in names],
                        "range": [-0.5, len(headlines) - 0.5], "showgrid": False}  # fmt: skip
    return {"data": traces, "layout": figure}


def draw_coverage(curve: Coverage, kept: Kept | None) -> Figure:
    """Draw precision among accepted rows against the share accepted, with the promise where there is one."""
    keep = np.unique(np.linspace(0, len(curve.coverage) - 1, _CURVE_POINTS).round().astype(int))
    # The first few accepted rows say nothing: one error among them is a precision of 50 %.
    keep = keep[curve.coverage[keep] >= min(0.01, curve.coverage[-1])]
    traces: list[dict[str, Any]] = [{
        "type": "scatter", "mode": "lines", "name": "precision among accepted",
        "x": _percent(curve.coverage[keep]), "y": _percent(curve.precision[keep]),
        "customdata": curve.threshold[keep].round(4).tolist(),
        "line": {"color": "var(--right)", "width": 3},
        "hovertemplate": "accept %{x:.1f} % of products: %{y:.2f} % right<br>"
                         "confidence from %{customdata:.3f}<extra></extra>",
    }]  # fmt: skip
    if kept is not None:
        traces.append({
            "type": "scatter", "mode": "lines", "name": f"asked: {100 * kept.asked:g} %", "x": [0, 100],
            "y": [100 * kept.asked] * 2, "line": {"color": "var(--muted)", "dash": "dash", "width": 1.5},
            "hoverinfo": "skip",
        })  # fmt: skip
        traces += [_promise_point(kept, "accepted categories", "circle")]
        if kept.shelves is not None:
            traces += [_promise_point(kept.shelves, "accepted shelves", "diamond")]
    figure = layout("products accepted without a person, %", "of them right, %")
    lowest = float(curve.precision[keep].min())
    figure["xaxis"]["range"] = [0, 101]
    figure["yaxis"]["range"] = [100 * max(0.0, lowest - 0.05), 101]
    return {"data": [trace for trace in traces if trace], "layout": figure}


def _promise_point(kept: Kept, name: str, symbol: str) -> dict[str, Any]:
    if kept.kept is None:
        return {}
    low, high = kept.interval
    return {
        "type": "scatter", "mode": "markers", "name": name,
        "x": _percent([kept.coverage]), "y": _percent([kept.kept]),
        "error_y": {"type": "data", "symmetric": False, "thickness": 2, "width": 5,
                    "array": _percent([high - kept.kept]), "arrayminus": _percent([kept.kept - low])},
        "marker": {"size": 13, "symbol": symbol, "color": "var(--wrong)"},
        "hovertemplate": f"{name}: %{{x:.1f}} % of products, %{{y:.2f}} % right<extra></extra>",
    }  # fmt: skip


def draw_reliability(bins: Reliability, outcome: Outcome) -> Figure:
    """Draw accuracy against confidence in bins of equal mass, over a histogram of right and wrong."""
    traces: list[dict[str, Any]] = [
        {"type": "scatter", "mode": "lines", "name": "what it says is so", "x": [0, 100], "y": [0, 100],
         "line": {"color": "var(--muted)", "dash": "dash", "width": 1.5}, "hoverinfo": "skip"},
        {"type": "scatter", "mode": "lines+markers", "name": "this model", "x": _percent(bins.confidence),
         "y": _percent(bins.accuracy), "customdata": bins.rows.tolist(),
         "error_y": {"type": "data", "symmetric": False, "thickness": 1.5, "width": 3,
                     "array": _percent(bins.high - bins.accuracy),
                     "arrayminus": _percent(bins.accuracy - bins.low)},
         "line": {"color": "var(--right)", "width": 2}, "marker": {"size": 8},
         "hovertemplate": "says %{x:.1f} %, is right %{y:.1f} %<br>%{customdata} products<extra></extra>"},
    ]  # fmt: skip
    edges = np.linspace(0, 1, 26)
    for name, part, colour in (
        ("right", outcome.right, "var(--right)"),
        ("wrong", ~outcome.right, "var(--wrong)"),
    ):
        rows, _ = np.histogram(outcome.sure[part], edges)
        traces.append({
            "type": "bar", "name": name, "x": _percent(edges[:-1] + 0.02), "y": rows.tolist(), "yaxis": "y2",
            "marker": {"color": colour}, "width": 3.6,
            "hovertemplate": f"%{{y}} {name} at about %{{x:.0f}} %<extra></extra>",
        })  # fmt: skip
    figure = layout("confidence in the answer, %", "right, %", height=460, barmode="stack")
    figure["xaxis"] |= {"range": [0, 101], "anchor": "y2"}
    figure["yaxis"] |= {"domain": [0.36, 1], "range": [0, 103]}
    figure["yaxis2"] = {
        **figure["yaxis"],
        "domain": [0, 0.26],
        "title": {"text": "products", "font": {"size": 13}},
    }
    figure["yaxis2"].pop("range")
    return {"data": traces, "layout": figure}


def draw_class_sizes(outcome: Outcome) -> Figure | None:
    """Draw accuracy by how many products a category was learned from; None when that is not known."""
    if outcome.train_counts is None:
        return None
    known = outcome.y >= 0
    learned = np.append(np.asarray(outcome.train_counts), 0)[np.where(known, outcome.y, -1)]
    bins = np.searchsorted(_SIZES, learned, side="right") - 1
    here = np.unique(bins)
    rows = np.array([(bins == size).sum() for size in here])
    right = np.array([outcome.right[bins == size].mean() for size in here])
    names = [_size_name(int(size)) for size in here]
    traces = [
        {"type": "bar", "name": "share of products", "x": names, "y": _percent(rows / outcome.rows),
         "customdata": rows.tolist(), "marker": {"color": "var(--bar)"},
         "hovertemplate": "%{customdata} products, %{y:.1f} % of all<extra></extra>"},
        {"type": "scatter", "mode": "lines+markers", "name": "exactly right",
         "x": names, "y": _percent(right),
         "line": {"color": "var(--right)", "width": 2}, "marker": {"size": 9},
         "hovertemplate": "%{y:.1f} % right<extra></extra>"},
    ]  # fmt: skip
    figure = layout("products that the category was learned from", "%")
    figure["xaxis"] |= {"type": "category"}
    figure["yaxis"]["range"] = [0, 103]
    return {"data": traces, "layout": figure}


def _size_name(size: int) -> str:
    low = _SIZES[size]
    if size + 1 == len(_SIZES):
        return f"{low}+"
    high = _SIZES[size + 1] - 1
    return str(low) if low == high else f"{low}–{high}"


def draw_matrix(matrix: Matrix) -> Figure:
    """Pack a confusion matrix for the page's script, which spreads the triples out and draws them.

    A dense matrix of 300 x 300 with names in each cell would be megabytes; these are its cells above 0.
    """
    return {
        "depth": matrix.depth,
        "department": matrix.department,
        "nodes": matrix.nodes.tolist(),
        "cells": np.column_stack((matrix.true, matrix.answer, matrix.rows)).ravel().tolist(),
        "errors": matrix.errors,
        "shown": matrix.shown,
    }


def _percent(values: NDArray[np.float64] | Sequence[float]) -> list[Any]:
    rounded: list[Any] = (100 * np.asarray(values, np.float64)).round(3).tolist()
    return rounded
