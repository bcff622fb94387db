"""The doctor on trees with planted diseases, answered out of fold by a naive Bayes of its own."""

import numpy as np
import polars as pl
import pytest

from shelfwise.audit.doctor import Answers, examine, safe_merges, tabulate, write_mapping
from shelfwise.audit.doctor.findings import COLUMNS, KINDS
from shelfwise.audit.embedding import embed
from shelfwise.catalogue.labels import LabelMapping
from shelfwise.catalogue.taxonomy import Taxonomy

SHELVES = [f"{top} > {leaf}" for top, leaves in {
    "Kitchen": ["Cups", "Pans", "Knives", "Towels"],
    "Garden": ["Hoses", "Spades", "Seeds", "Chairs"],
    "Office": ["Pens", "Paper", "Lamps", "Desks"],
}.items() for leaf in leaves]  # fmt: skip
EACH = 60


def healthy(rng):
    """Titles of four words, three of them from the shelf's own eight, and the shelf of each."""
    titles, labels = [], []
    for shelf in SHELVES:
        leaf = shelf.split(" > ")[1].lower()
        own = [f"{leaf[:3]}{letter}" for letter in "abcdefgh"]
        for _ in range(EACH):
            titles.append(" ".join([*rng.choice(own, 3, replace=False), f"w{rng.integers(40)}"]))
            labels.append(shelf)
    return titles, labels


def answers(titles, labels, folds=5):
    """Out-of-fold answers of a multinomial naive Bayes, with the embedding."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.naive_bayes import MultinomialNB

    tree = Taxonomy.build(labels, None, " > ")
    y = tree.codes(labels)
    words = CountVectorizer().fit_transform(titles)
    fold = np.random.default_rng(0).permutation(len(y)) % folds
    table = np.zeros((len(y), len(tree.labels)), np.float32)
    for number in range(folds):
        inside = fold == number
        model = MultinomialNB(alpha=0.5).fit(words[~inside], y[~inside])
        table[np.ix_(inside, model.classes_)] = model.predict_proba(words[inside])
    best = np.argsort(-table, axis=1, kind="stable")[:, :8].astype(np.int32)
    frame = pl.DataFrame({"title": titles})
    return Answers(
        tree, y, best, np.take_along_axis(table, best, axis=1), table[np.arange(len(y)), y],
        np.arange(len(y)), titles, [f"p{row}" for row in range(len(y))], embed(frame, ["title"], []),
    )  # fmt: skip


def by_kind(findings, kind):
    return [one for one in findings if one.kind == kind]


def test_a_healthy_tree_has_no_findings():
    titles, labels = healthy(np.random.default_rng(0))
    told = answers(titles, labels)
    assert told.right.sum() > 0.95 * len(labels)
    assert examine(told) == []


def test_a_shelf_that_was_split_at_random_overlaps_with_its_other_half_and_may_be_merged():
    rng = np.random.default_rng(0)
    titles, labels = healthy(rng)
    labels = [
        "Kitchen > Mugs" if label == "Kitchen > Cups" and rng.random() < 0.5 else label for label in labels
    ]
    told = answers(titles, labels)
    findings = examine(told)
    (found,) = by_kind(findings, "overlap")
    assert set(found.shelves) == {"Kitchen > Cups", "Kitchen > Mugs"}
    assert 0.3 < found.evidence["told_apart"] < 0.7
    assert 15 < found.gain.products < 45  # half of the sixty were right by chance
    assert found.gain.accuracy == pytest.approx(found.gain.products / len(labels))
    merges = safe_merges(told, findings)
    assert len(merges) == 1
    assert {*merges, *merges.values()} == set(found.shelves)
    assert [one.kind for one in findings] == ["overlap"]


def test_halves_of_unequal_size_overlap_too():
    rng = np.random.default_rng(1)
    titles, labels = healthy(rng)
    labels = [
        "Kitchen > Mugs" if label == "Kitchen > Cups" and rng.random() < 0.25 else label for label in labels
    ]
    (found,) = by_kind(examine(answers(titles, labels)), "overlap")
    assert found.merge_into == "Kitchen > Cups"  # the larger one stays


def test_overlap_across_departments_is_told_and_left_to_a_person():
    rng = np.random.default_rng(0)
    titles, labels = healthy(rng)
    labels = [
        "Garden > Mugs" if label == "Kitchen > Cups" and rng.random() < 0.5 else label for label in labels
    ]
    told = answers(titles, labels)
    findings = examine(told)
    (found,) = by_kind(findings, "overlap")
    assert found.gain.products > 0
    assert "different parts of the tree" in found.advice
    assert safe_merges(told, findings) == {}


def test_a_shelf_made_of_two_hides_two_groups_and_their_words_tell_them():
    titles, labels = healthy(np.random.default_rng(0))
    labels = [
        "Office > Things" if label in ("Office > Pens", "Office > Lamps") else label for label in labels
    ]
    (found,) = by_kind(examine(answers(titles, labels)), "two_groups")
    assert found.shelves == ("Office > Things",)
    assert found.evidence["smaller"] == pytest.approx(0.5, abs=0.03)
    sides = {example.fits: example.title.split()[0][:3] for example in found.examples}
    assert sorted(sides.values()) == ["lam", "pen"]
    assert all(words.startswith(start) for words, start in sides.items())


@pytest.mark.parametrize("name", ["Other", "Zwölferlei"])
def test_a_shelf_filled_from_everywhere_is_a_dumping_ground_whatever_its_name(name):
    rng = np.random.default_rng(0)
    titles, labels = healthy(rng)
    stray = set(rng.permutation(len(labels))[:80].tolist())
    labels = [f"Office > {name}" if row in stray else label for row, label in enumerate(labels)]
    (found,) = by_kind(examine(answers(titles, labels)), "dumping")
    assert found.shelves == (f"Office > {name}",)
    assert found.evidence["lost"] > 0.8
    assert found.evidence["spread_over"] > 8
    assert found.evidence["departments"] == 3
    assert ("Its name says the same" in found.says) == (name == "Other")


def test_products_left_on_a_parent_belong_below():
    rng = np.random.default_rng(0)
    titles, labels = healthy(rng)
    labels = ["Kitchen" if label.startswith("Kitchen") and rng.random() < 0.2 else label for label in labels]
    (found,) = by_kind(examine(answers(titles, labels)), "dumping")
    assert found.shelves == ("Kitchen",)
    assert found.evidence["to_below"] > 0.9


@pytest.mark.parametrize("variant", ["cup", "CUPS", "Cüps", "Cups "])
def test_a_spelling_variant_is_found(variant):
    rng = np.random.default_rng(0)
    titles, labels = healthy(rng)
    other = f"Kitchen > {variant.strip()}"
    labels = [other if label == "Kitchen > Cups" and rng.random() < 0.3 else label for label in labels]
    if variant.endswith(" "):
        assert by_kind(examine(answers(titles, labels)), "spelling") == []  # white space was gone already
        return
    told = answers(titles, labels)
    (found,) = by_kind(examine(told), "spelling")
    assert set(found.shelves) == {"Kitchen > Cups", other}
    assert safe_merges(told, examine(told)) == {other: "Kitchen > Cups"}


def test_a_slip_of_one_letter_needs_the_model_to_agree():
    rng = np.random.default_rng(0)
    titles, labels = healthy(rng)
    mixed = [
        "Kitchen > Knivse" if label == "Kitchen > Knives" and rng.random() < 0.4 else label
        for label in labels
    ]
    (found,) = by_kind(examine(answers(titles, mixed)), "spelling")
    assert set(found.shelves) == {"Kitchen > Knives", "Kitchen > Knivse"}
    clear = [
        {"Kitchen > Cups": "Kitchen > Mittens", "Kitchen > Pans": "Kitchen > Kittens"}.get(x, x)
        for x in labels
    ]
    assert by_kind(examine(answers(titles, clear)), "spelling") == []


def test_one_name_below_two_parents_says_whether_products_tell_them_apart():
    titles, labels = healthy(np.random.default_rng(0))
    labels = [{"Kitchen > Towels": "Kitchen > Lamps"}.get(label, label) for label in labels]
    (found,) = by_kind(examine(answers(titles, labels)), "same_name")
    assert set(found.shelves) == {"Kitchen > Lamps", "Office > Lamps"}
    assert found.evidence["told_apart"] > 0.95
    assert found.gain is None


def test_shelves_nobody_can_learn_and_why():
    rng = np.random.default_rng(0)
    titles, labels = healthy(rng)
    titles += ["tiny gizmo", "one offer", "one offer", "one offer", "one offer"]
    labels += ["Garden > Gnomes", *["Garden > Twins"] * 4]
    bare = rng.permutation(len(SHELVES) * EACH)[:24]
    labels = [
        "Garden > Sundries" if row in set(bare[:9].tolist()) else label for row, label in enumerate(labels)
    ]
    told = answers(titles, labels)
    groups = told.groups.copy()
    groups[-4:] = groups[-4]
    told = Answers(**{**vars_of(told), "groups": groups})
    findings = {one.shelves[0]: one for one in by_kind(examine(told), "unlearnable")}
    assert "fewer than 3 products that differ" in findings["Garden > Gnomes"].says
    assert "near-duplicates of one another" in findings["Garden > Twins"].says
    assert "word" in findings["Garden > Sundries"].says
    assert findings["Garden > Sundries"].evidence["found"] == 0


def vars_of(told):
    return {name: getattr(told, name) for name in Answers.__dataclass_fields__}


def test_a_shelf_swallowed_by_its_sister_has_its_gain_and_is_left_to_a_person():
    titles, labels = healthy(np.random.default_rng(3))
    cups = [row for row, label in enumerate(labels) if label == "Kitchen > Cups"][:8]
    labels = ["Kitchen > Beakers" if row in cups else label for row, label in enumerate(labels)]
    told = answers(titles, labels)
    findings = examine(told)
    (found,) = by_kind(findings, "unlearnable")
    assert found.shelves == ("Kitchen > Beakers", "Kitchen > Cups")
    assert found.gain.products == 8
    assert safe_merges(told, findings) == {}


def test_names_without_a_letter_and_levels_without_a_choice_are_told():
    titles, labels = healthy(np.random.default_rng(0))
    change = {"Garden > Hoses": "Garden > 17", "Office > Desks": "Office > A > B > Desks"}
    findings = examine(answers(titles, [change.get(label, label) for label in labels]))
    assert [one.shelves for one in by_kind(findings, "name")] == [("Garden > 17",)]
    (chain,) = by_kind(findings, "chain")
    assert chain.shelves == ("Office > A > B > Desks",)
    assert chain.evidence["levels"] == 2


def test_the_mapping_is_one_that_train_reads_and_never_moves_a_shelf_twice(tmp_path):
    rng = np.random.default_rng(0)
    titles, labels = healthy(rng)
    thirds = {"Kitchen > Cups": ["Kitchen > cup", "Kitchen > Mugs"], "Office > Pens": ["Office > Pen, blue"]}
    labels = [str(rng.choice([label, *thirds[label]])) if label in thirds else label for label in labels]
    told = answers(titles, labels)
    merges = safe_merges(told, examine(told))
    assert merges
    assert not set(merges) & set(merges.values())
    path = tmp_path / "mapping.csv"
    path.write_text(write_mapping(merges), encoding="utf-8")
    mapped, report = LabelMapping.read(path).apply(pl.Series(labels), " > ")
    assert report.warnings == ()
    assert report.categories_after == report.categories_before - len(merges)
    assert not set(mapped.unique()) & set(merges)


def test_the_table_has_its_columns_and_the_kinds_their_order():
    rng = np.random.default_rng(0)
    titles, labels = healthy(rng)
    labels = [
        "Kitchen > cup" if label == "Kitchen > Cups" and rng.random() < 0.5 else label for label in labels
    ]
    findings = examine(answers(titles, labels))
    table = tabulate(findings)
    assert dict(table.schema) == COLUMNS
    assert table.height == len(findings) > 1
    order = [list(KINDS).index(kind) for kind in table["kind"]]
    assert order == sorted(order)
    assert tabulate([]).height == 0


def test_findings_do_not_depend_on_the_order_of_the_products():
    rng = np.random.default_rng(0)
    titles, labels = healthy(rng)
    labels = [
        "Kitchen > Mugs" if label == "Kitchen > Cups" and rng.random() < 0.5 else label for label in labels
    ]
    told = answers(titles, labels)
    order = rng.permutation(len(labels))
    parts = vars_of(told)
    turned = {
        name: [value[row] for row in order] if isinstance(value, list) else value[order]
        for name, value in parts.items()
        if name != "taxonomy"
    }
    one, other = examine(told), examine(Answers(told.taxonomy, **turned))
    assert [(x.kind, x.shelves, x.gain.products) for x in one] == [
        (x.kind, x.shelves, x.gain.products) for x in other
    ]


def test_parts_of_unequal_length_are_refused():
    titles, labels = healthy(np.random.default_rng(0))
    told = answers(titles, labels)
    with pytest.raises(ValueError, match="rows"):
        Answers(**{**vars_of(told), "given": told.given[:-1]})
