"""The card tells people what the model learned from, how good it is, and what it cannot promise."""

from __future__ import annotations

from shelfwise.card import write_card
from shelfwise.catalogue.taxonomy import Taxonomy

TREE = Taxonomy.build(["Shoes > Boots", "Watches"], separator=" > ")
STATE = {
    "roles": {"label": "category_path"},
    "fields": ["title", "brand"],
    "dense": [],
    "encoders": {},
    "recipe": {"seed": 7, "pictures": {"encoder": "onnx:net"}},
    "delta": 0.1,
    "training": {
        "rows": 12_345, "learned": 12_000, "unlabelled": 300, "empty": 40, "unreadable": 5, "left_out": 0,
        "categories": 2, "singletons": 1, "depth": 2, "fields": ["title", "brand"], "data_sha256": "abc123",
        "out_of_fold": {"rows": 8_000, "accuracy": 0.9125, "levels": [0.98, 0.9125]},
        "promises": [
            {"asked": 0.98, "refused": None, "coverage": 0.7, "threshold": 0.91234},
            {"asked": 0.995, "refused": "too few products"},
        ],
        "notes": [],
    },
}  # fmt: skip


def test_card_tells_rows_scores_and_promises():
    card = write_card(STATE, TREE)

    assert card.startswith("# Category model: 2 categories\n")
    for told in ("12,000 of 12,345", "300 had no category", "40 nothing to go by", "5 could not be read"):
        assert told in card
    for told in ("`category_path`", "title, brand", "abc123"):
        assert told in card
    for told in ("91.2% landed", "| 1 | 98.0% |", "| 2 | 91.2% |"):
        assert told in card
    assert "| 98% | 70.0% | 0.9123 |" in card


def test_card_tells_what_it_judges_by():
    pictured = STATE | {
        "dense": ["pictures", "table"],
        "encoders": {"pictures": {"fingerprints": ["f"], "widths": [300, 84]}},
    }

    assert "from their text.\n" in write_card(STATE, TREE)
    assert "from their text, their pictures and their numbers.\n" in write_card(pictured, TREE)
    assert "from their pictures and their numbers.\n" in write_card(pictured | {"fields": []}, TREE)
    assert "- Their pictures: `onnx:net`, 384 wide.\n" in write_card(pictured, TREE)


def test_promise_is_not_rounded_up():
    assert "| 99.5% | cannot be promised | |" in write_card(STATE, TREE)


def test_notes_are_listed_and_their_absence_is_said():
    noted = STATE | {"training": STATE["training"] | {"notes": ["one", "two"]}}

    assert write_card(noted, TREE).endswith("## What to watch\n\n- one\n- two\n")
    assert "Nothing out of the ordinary" in write_card(STATE, TREE)


DONE = {
    "corrected": 1234, "categories": 3, "examples": 1,
    "added": [{"did": "added", "shelves": ["Lamps `x`\n# no"], "examples": 1}],
    "renamed": [{"did": "renamed", "old": "Watches", "new": "Clocks", "categories": 1}],
    "merged": [{"did": "merged", "shelves": ["A", "B"], "into": "C"}],
    "split": [{"did": "split", "shelf": "C", "parts": ["D"]}],
}  # fmt: skip


def test_card_tells_what_people_changed_and_what_that_means_for_promises():
    card = write_card(STATE, TREE, DONE)

    assert card.startswith("# Category model: 3 categories\n")
    for told in (
        "1,234 products put on the right shelf", "Added: `Lamps 'x' # no`, with 1 example.",
        "Renamed: `Watches` is `Clocks` now.", "Merged into `C`: `A`, `B`.", "Split off `C`: `D`.",
        "promises above were made before that",
    ):  # fmt: skip
        assert told in card
    assert "since training" not in write_card(STATE, TREE)


def test_card_of_a_real_model_is_in_its_folder(model, saved):
    card = (saved / "README.md").read_text("utf-8")

    assert model.training_.data_sha256 in card
    assert f"{len(model.taxonomy_.labels)} categories" in card
