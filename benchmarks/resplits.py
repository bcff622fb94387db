"""How much of a lead is luck? Shelfwise and LinearSVC on five other splits of each catalogue.

    python benchmarks/resplits.py
    python benchmarks/resplits.py --only flipkart,fashion

One test split of a small catalogue, or the macro F1 of categories with one test row, moves by points with a
few rows. Here all labelled rows are dealt anew five times, a fifth for testing, near-duplicates together
(`shelfwise.catalogue.splits`), and both tools learn from the same rows. The table gives means, and in how
many of the five splits Shelfwise was ahead. Quality alone: times are in `text.py`.
"""

from __future__ import annotations

import argparse

import numpy as np
import polars as pl
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import f1_score
from sklearn.pipeline import make_union
from sklearn.svm import LinearSVC

from peers import joined_text, labelled
from record import DATA, circumstances, in_words, store, table
from shelfwise import Categorizer, Recipe
from shelfwise.catalogue.duplicates import group_near_duplicates
from shelfwise.catalogue.products import clean
from shelfwise.catalogue.roles import find_roles
from shelfwise.catalogue.splits import hold_out

TASKS = [
    ("flipkart", "category_l1"),
    ("flipkart", "category_path"),
    ("descmerc", "category_path"),
    ("pricerunner", "category_path"),
    ("fashion", "category_path"),
    ("instacart", "category_path"),
]
FIELDS = ("title", "description", "brand", "attributes")
SPLITS = 5


def scores(truth: np.ndarray, answers: np.ndarray) -> tuple[float, float]:
    """Weighted and macro F1 in percent."""
    weighted, macro = (
        100 * f1_score(truth, answers, average=kind, zero_division=0) for kind in ("weighted", "macro")
    )
    return weighted, macro


def svc(texts: np.ndarray, labels: np.ndarray, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Answers of TF-IDF (words 1-2 and characters 3-5) and LinearSVC."""
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True, min_df=2)
    union = make_union(words, letters)
    classifier = LinearSVC().fit(union.fit_transform(texts[train]), labels[train])
    return classifier.predict(union.transform(texts[test]))


def measure(name: str, label: str) -> dict[str, object]:
    """Both tools on each split: [splits, 4] = weighted and macro F1 of Shelfwise, then of LinearSVC."""
    products = pl.read_parquet(DATA / name / "products.parquet").filter(labelled(label)).drop("split")
    roles = find_roles(products, {"label": label})
    clean_rows = clean(products, roles)
    groups = group_near_duplicates(clean_rows)
    labels = products[label].to_numpy()
    codes = np.unique(labels, return_inverse=True)[1]
    texts = np.array(joined_text(products, [f for f in FIELDS if (products[f].fill_null("") != "").any()]))
    found = []
    for seed in range(SPLITS):
        train, test = hold_out(codes, groups, 0.2, seed)
        recipe = Recipe.from_dict({"catalogue": {"label": label}, "seed": seed})
        model = Categorizer(recipe).fit(products[train.tolist()])
        ours = model.predict(products[test.tolist()])["category"].to_numpy()
        found.append([*scores(labels[test], ours), *scores(labels[test], svc(texts, labels, train, test))])
        print(name, label, seed, np.round(found[-1], 2), flush=True)
    return {"catalogue": name, "label": label, "splits": found}


def row(result: dict[str, object]) -> list[str]:
    """One line of the table."""
    found = np.array(result["splits"])
    mean = found.mean(axis=0)
    return [
        f"{result['catalogue']}, {result['label']}",
        f"{mean[0]:.2f} / {mean[1]:.2f}",
        f"{mean[2]:.2f} / {mean[3]:.2f}",
        f"{int((found[:, 0] > found[:, 2]).sum())} / {int((found[:, 1] > found[:, 3]).sum())}",
    ]


def main() -> None:
    """Measure, store, and fill the README."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", help="catalogues, with commas between them")
    only = parser.parse_args().only
    results = [measure(name, label) for name, label in TASKS if not only or name in only.split(",")]
    where = circumstances()
    head = ["weighted / macro F1, mean of 5 splits", "Shelfwise", "TF-IDF + LinearSVC", "Shelfwise ahead in"]
    text = f"{table(head, [row(result) for result in results])}\n\n{in_words(where)}"
    store("resplits", {"results": results, "where": where}, text)


if __name__ == "__main__":
    main()
