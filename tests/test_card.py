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


def test_card_tells_how_to_make_the_model_again():
    training = STATE["training"] | {"made_with": {"shelfwise": "1.2", "numpy": "2.0"}}
    split = STATE["roles"] | {"split": "fold"}
    card = write_card(STATE | {"training": training, "roles": split}, TREE)

    assert "with seed 7" in card
    assert "`shelfwise train CATALOGUE --split fold --recipe THIS_FOLDER --model NEW`" in card
    assert "- Made with numpy 2.0, shelfwise 1.2." in card
    assert "It started" not in card
    assert "What changed" not in card


UPDATE = {
    "from": "f00d", "same": 1_000, "new": 20, "changed": 3, "moved": 2, "gone": 1,
    "categories_added": ["Hats"], "categories_gone": [],
    "change": {
        "products": 500, "of": 900, "held_out": True, "changed": 25, "share": 0.05, "promise": 0.95,
        "confidence": {"old": 0.8, "new": 0.81}, "accepted": {"old": None, "new": 0.345},
        "scores": {
            "old": {"rows": 480, "accuracy": 0.7, "weighted_f1": 0.69, "macro_f1": 0.6},
            "new": {"rows": 480, "accuracy": 0.75, "weighted_f1": 0.74, "macro_f1": 0.61},
        },
        "moves": [{"old": "Boots", "new": "Sandals", "products": 7}], "added": ["Hats"], "gone": [],
    },
}  # fmt: skip


def test_card_tells_by_how_much_an_update_moved():
    card = write_card(STATE | {"training": STATE["training"] | {"update": UPDATE}}, TREE)

    assert "1,000 are as they were, 20 are new, 3 show something else, 2 stand on another shelf, 1" in card
    assert "- New categories: `Hats`." in card
    assert "Of 500 products that were held out from both, 25 get another answer (5.00%)" in card
    assert "was 80.0% and is 81.0%" in card
    assert (
        "On 480 of them with a category: accuracy 70.00%, now 75.00%, weighted F1 69.00%, now 74.00%." in card
    )
    assert "- Accepted at 95%: refused, now 34.5%." in card
    assert "- From `Boots` to `Sandals`: 7 products." in card
    assert "manifest has the SHA-256 `f00d`" in card


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
