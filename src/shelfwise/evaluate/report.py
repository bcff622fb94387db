"""The report of an evaluation: one HTML page that needs nothing else, with its numbers as files beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from shelfwise.errors import MissingExtraError
from shelfwise.evaluate.content import Evaluation, describe, learned_from, pack
from shelfwise.evaluate.metrics import Scores
from shelfwise.evaluate.outcome import Outcome
from shelfwise.evaluate.wording import note_data
from shelfwise.unfinished import write_whole

_GUESSES = 3


def write_report(
    outcome: Outcome,
    scores: Scores,
    folder: str | os.PathLike[str],
    title: str = "Evaluation",
    notes: Sequence[str] = (),
) -> Path:
    """Write `report.html`, `scores.json` and three tables as CSV; return the page's path.

    The tables are those of `tabulate`. Each file appears whole or not at all, and the same outcome and scores
    give the same bytes. `notes` are sentences about the data for the end of the page.

    Raises
    ------
    MissingExtraError
        plotly or jinja2 is not installed; nothing is written then.

    """
    evaluation = Evaluation(outcome, scores)
    page = render_page(outcome, scores, title, notes)
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    text = json.dumps(scores.to_dict(), ensure_ascii=False, indent=2) + "\n"
    write_whole(place / "scores.json", text.encode())
    for name, frame in tabulate(evaluation).items():
        write_whole(place / f"{name}.csv", frame.write_csv().encode())
    write_whole(place / "report.html", page.encode())
    return place / "report.html"


def render_page(
    outcome: Outcome, scores: Scores, title: str = "Evaluation", notes: Sequence[str] = ()
) -> str:
    """Return the report as one HTML text with script, style and data in it.

    Everything that comes from the data is escaped.

    Raises
    ------
    MissingExtraError
        plotly or jinja2 is not installed.

    """
    try:
        from jinja2 import Environment
        from markupsafe import Markup
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise MissingExtraError("the HTML report", "report") from error
    page = resources.files(__package__).joinpath("page")
    template = Environment(autoescape=True, trim_blocks=False).from_string(
        page.joinpath("report.html.j2").read_text("utf-8")
    )
    evaluation = Evaluation(outcome, scores)
    return template.render(
        **describe(evaluation),
        title=title,
        notes=[*note_data(outcome, scores), *notes],
        css=Markup(page.joinpath("report.css").read_text("utf-8")),
        js=Markup(page.joinpath("report.js").read_text("utf-8")),
        plotly=Markup(get_plotlyjs()),
        data=Markup(_json_in_html(pack(evaluation))),
    )


def tabulate(evaluation: Evaluation) -> dict[str, pl.DataFrame]:
    """Return the tables beside the page by name.

    `categories` in the order of their codes, `confusions` dearest first, `errors` in input order.
    """
    outcome, names = evaluation.outcome, evaluation.names
    table, found = evaluation.categories, evaluation.confusions
    categories: dict[str, Any] = {
        "category": _texts(names[table.codes]),
        "products": table.support,
        "answered": table.answered,
        "precision": table.precision.round(6),
        "recall": table.recall.round(6),
        "f1": table.f1.round(6),
        "mistaken_for": _texts(names[table.mistaken_for]),
        "mistaken_products": table.mistaken_rows,
    }
    if outcome.train_counts is not None:
        categories["learned_from"] = learned_from(outcome, table.codes)
    return {
        "categories": pl.DataFrame(categories),
        "confusions": pl.DataFrame(
            {
                "given": _texts(names[found.true]),
                "predicted": _texts(names[found.answer]),
                "products": found.rows,
                "distance": found.distance,
                "cost": found.cost,
                "share_of_errors": (found.rows / max(1, int((~outcome.right).sum()))).round(6),
            }
        ),
        "errors": _tabulate_errors(evaluation),
    }


def _tabulate_errors(evaluation: Evaluation) -> pl.DataFrame:
    outcome, names = evaluation.outcome, evaluation.names
    rows = np.flatnonzero(~outcome.right)
    columns: dict[str, Any] = {"row": rows}
    for name, texts in (("product_id", outcome.product_ids), ("title", outcome.titles)):
        if texts is not None:
            columns[name] = pl.Series([texts[row] for row in rows.tolist()], dtype=pl.String)
    columns["given"] = _texts(names[outcome.truth[rows]])
    for place in range(min(_GUESSES, outcome.codes.shape[1])):
        ending = "" if place == 0 else f"_{place + 1}"
        columns[f"predicted{ending}"] = _texts(names[outcome.codes[rows, place]])
        columns[f"confidence{ending}"] = outcome.confidence[rows, place].astype(np.float64).round(6)
    return pl.DataFrame(columns)


def _texts(names: NDArray[np.object_]) -> pl.Series:
    return pl.Series(names.tolist(), dtype=pl.String)


def _json_in_html(values: object) -> str:
    """JSON that may stand inside a script element: nothing in it can end the element or begin a comment."""
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
