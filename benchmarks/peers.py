"""The tools that Shelfwise is measured against, behind the same two commands: train a folder, predict a file.

    python benchmarks/peers.py train   TOOL PRODUCTS.parquet --model DIR --label COLUMN --fields title
    python benchmarks/peers.py predict TOOL PRODUCTS.parquet ... --output FILE

`train` prints one JSON object with its timings in seconds. Both read the named fields joined into one
lower-cased string (JSON attributes as "name value"), learn from the labelled rows marked `train` and predict
those marked `test`.

* `svc`: scikit-learn's TF-IDF of words 1-2 and characters 3-5 inside words (`char_wb`), sublinear, seen
  twice, and `LinearSVC`: the best and quickest that we found.
* `svc-plain`: the same as most write it: characters across words (`char`), and every feature kept.
* `fasttext`: 25 epochs, word pairs, subwords of 3 to 5 letters, 2 threads, learning rate 0.5 (at its default
  of 0.1 it has not got anywhere after 25 epochs of a small catalogue: flipkart 17 instead of 91), all else as
  it comes.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import polars as pl


class Stopwatch:
    """Names the stretches of a run: `watch.lap("fit")` closes the stretch since the last lap."""

    def __init__(self) -> None:
        self.began = self.last = time.perf_counter()
        self.laps: dict[str, float] = {}

    def lap(self, name: str) -> None:
        """Close the present stretch under `name`."""
        now = time.perf_counter()
        self.laps[name] = round(now - self.last, 4)
        self.last = now

    def timings(self) -> dict[str, float]:
        """All laps, and `total`."""
        return {**self.laps, "total": round(time.perf_counter() - self.began, 4)}


def labelled(column: str) -> pl.Expr:
    """Rows that have a category: instacart writes `missing > missing` where nobody gave one."""
    return pl.col(column).is_not_null() & ~pl.col(column).is_in(["", "missing", "missing > missing"])


def joined_text(frame: pl.DataFrame, fields: list[str]) -> list[str]:
    """The named fields of every row as one line of lower-case text."""
    lines = []
    for row in frame.select(fields).iter_rows():
        parts = [
            _flat(value) if name == "attributes" else str(value or "")
            for name, value in zip(fields, row, strict=True)
        ]
        lines.append(" ".join(" ".join(parts).lower().split()))
    return lines


def _flat(attributes: str | None) -> str:
    """A JSON object of attributes as plain words: the peers get names and values, not brackets and quotes."""
    if not attributes:
        return ""
    try:
        items = json.loads(attributes).items()
    except ValueError:
        return attributes
    return " ".join(f"{name} {value}" for name, value in items)


def train_svc(texts: list[str], labels: list[str], folder: Path, watch: Stopwatch) -> None:
    """`svc`: fit TF-IDF and LinearSVC and store them with joblib (as their own documentation says to)."""
    _train_svc("char_wb", 2, texts, labels, folder, watch)


def train_svc_plain(texts: list[str], labels: list[str], folder: Path, watch: Stopwatch) -> None:
    """`svc-plain`."""
    _train_svc("char", 1, texts, labels, folder, watch)


def _train_svc(
    analyzer: str, min_df: int, texts: list[str], labels: list[str], folder: Path, watch: Stopwatch
) -> None:
    import joblib
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_union
    from sklearn.svm import LinearSVC

    watch.lap("import")
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=min_df)
    letters = TfidfVectorizer(analyzer=analyzer, ngram_range=(3, 5), sublinear_tf=True, min_df=min_df)
    union = make_union(words, letters)
    matrix = union.fit_transform(texts)
    watch.lap("features")
    classifier = LinearSVC().fit(matrix, labels)
    watch.lap("fit")
    joblib.dump((union, classifier), folder / "model.joblib")
    watch.lap("save")


def predict_svc(texts: list[str], folder: Path, watch: Stopwatch) -> list[str]:
    """Load and predict; returns one label a text."""
    import joblib

    union, classifier = joblib.load(folder / "model.joblib")
    watch.lap("load")
    answer = classifier.predict(union.transform(texts)).tolist()
    watch.lap("predict")
    return answer


def train_fasttext(texts: list[str], labels: list[str], folder: Path, watch: Stopwatch) -> None:
    """Write the training file, train supervised and store the binary model."""
    import fasttext

    watch.lap("import")
    names = sorted(set(labels))
    code = {name: number for number, name in enumerate(names)}
    (folder / "labels.json").write_text(json.dumps(names), encoding="utf-8")
    lines = folder / "train.txt"
    with lines.open("w", encoding="utf-8") as sheet:
        for text, label in zip(texts, labels, strict=True):
            sheet.write(f"__label__{code[label]} {text}\n")
    watch.lap("features")
    model = fasttext.train_supervised(
        str(lines), epoch=25, wordNgrams=2, minn=3, maxn=5, lr=0.5, thread=2, verbose=0
    )
    watch.lap("fit")
    model.save_model(str(folder / "model.bin"))
    lines.unlink()
    watch.lap("save")


def predict_fasttext(texts: list[str], folder: Path, watch: Stopwatch) -> list[str]:
    """Load and predict, by the compiled half: the wrapper asks NumPy 2 for what it refuses (`copy=False`)."""
    import fasttext

    names = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    model = fasttext.load_model(str(folder / "model.bin"))
    watch.lap("load")
    answer = []
    for text in texts:
        found = model.f.predict(text + "\n", 1, 0.0, "strict")
        answer.append(names[int(found[0][1].removeprefix("__label__"))] if found else names[0])
    watch.lap("predict")
    return answer


TRAIN = {"svc": train_svc, "svc-plain": train_svc_plain, "fasttext": train_fasttext}
PREDICT = {"svc": predict_svc, "svc-plain": predict_svc, "fasttext": predict_fasttext}


def run(asked: argparse.Namespace) -> dict[str, Any]:
    """Do what the command line asked for and return what it prints."""
    watch = Stopwatch()
    fields = asked.fields.split(",")
    frame = pl.read_parquet(
        asked.products, columns=list(dict.fromkeys(["product_id", "split", asked.label, *fields]))
    )
    train = (pl.col("split") != "test") & labelled(asked.label)
    frame = frame.filter(train if asked.what == "train" else pl.col("split") == "test")
    texts = joined_text(frame, fields)
    watch.lap("read")
    asked.model.mkdir(parents=True, exist_ok=True)
    if asked.what == "train":
        TRAIN[asked.tool](texts, frame[asked.label].to_list(), asked.model, watch)
    else:
        found = PREDICT[asked.tool](texts, asked.model, watch)
        pl.DataFrame({"product_id": frame["product_id"], "category": found}).write_parquet(asked.output)
        watch.lap("write")
    return {"tool": asked.tool, "rows": frame.height, "fields": fields, "timings": watch.timings()}


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["train", "predict"])
    parser.add_argument("tool", choices=list(TRAIN))
    parser.add_argument("products", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--label", required=True)
    parser.add_argument("--fields", default="title")
    parser.add_argument("--output", type=Path)
    print(json.dumps(run(parser.parse_args())))


if __name__ == "__main__":
    main()
