"""Text, pictures and both, and a sentence encoder beside the text: what each view and their fusion are worth.

    python benchmarks/pictures.py --encoders DIR [--only fashion,clothing] [--sentence FOLDER]

Each line is a model of its own, trained on the rows marked `train` by the command line and scored on those
marked `test`. The model with all views also answers products with their text alone, with their picture alone
and with neither. Beside them stand what a usual pipeline makes of the same vectors: scikit-learn's logistic
regression on the encoder's vectors, alone and joined to TF-IDF (feature concatenation). Vectors come from the
cache after their first encoding; times are of training without it. Results go to
`benchmarks/results/pictures.json` and `.md`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from record import DATA, circumstances, in_words, store, stored, table

SHELFWISE = Path(sys.executable).with_name("shelfwise")
NOT_GARMENTS = ("Not sure", "Other", "Skip")
TEXT = ("title", "description", "attributes", "brand", "shop", "url")
NO_TEXT = [f"--role={name}=none" for name in TEXT]


@dataclass(frozen=True)
class Task:
    """One catalogue: its rows, its pictures, and the encoders to use."""

    name: str
    products: Path
    images: Path | None
    pictures: str = "none"
    sentence: str = "none"
    peers: bool = True

    @property
    def has_text(self) -> bool:
        """Whether any product has a title."""
        return bool((pl.read_parquet(self.products)["title"].fill_null("") != "").any())


def prepare(name: str, box: Path, pictures: str, sentence: str, peers: bool) -> Task:
    """A catalogue, without the labels of clothing that are no garments."""
    source = DATA / name / "products.parquet"
    images = DATA / name / "images"
    if name == "clothing":
        frame = pl.read_parquet(source).filter(~pl.col("category_path").is_in(NOT_GARMENTS))
        source = box / "clothing.parquet"
        frame.write_parquet(source)
    return Task(name, source, images if images.is_dir() else None, pictures, sentence, peers)


def shelfwise(*words: object) -> dict[str, Any]:
    """Run a command and return its JSON."""
    done = subprocess.run(
        [str(SHELFWISE), *map(str, words), "--json"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"shelfwise {' '.join(map(str, words))}:\n{done.stderr}")
    return json.loads(done.stdout)


def model(task: Task, box: Path, what: str, *options: str) -> tuple[Path, dict[str, Any]]:
    """Train one model; what it told."""
    folder = box / f"{task.name}-{what}"
    words = ["--label", "category_path", "--split", "split", *options]
    return folder, shelfwise("train", task.products, "--model", folder, *words)


def line(task: Task, what: str, scores: dict[str, Any], told: dict[str, Any] | None = None) -> dict[str, Any]:
    """One line of the results."""
    return {
        "catalogue": task.name,
        "what": what,
        "rows": scores["rows"],
        "weighted_f1": round(100 * scores["weighted_f1"], 2),
        "macro_f1": round(100 * scores["macro_f1"], 2),
        "train_seconds": round(told["timings"]["total"], 1) if told else None,
        "exponents": told["exponents"] if told else None,
        "by_view": {
            name: round(100 * view["weighted_f1"], 2) for name, view in scores.get("by_view", {}).items()
        },
    }


def pictures_of(task: Task, box: Path) -> list[dict[str, Any]]:
    """Text, pictures and both on one catalogue."""
    images = ["--images", str(task.images)]
    variants: dict[str, list[str]] = {}
    if task.has_text:
        variants["text"] = ["--image-encoder", "none"]
    variants["pictures, built-in"] = [*images, *NO_TEXT]
    variants["pictures, pretrained"] = [*images, *NO_TEXT, "--image-encoder", task.pictures]
    if task.has_text:
        variants["text + pictures, built-in"] = images
        variants["text + pictures, pretrained"] = [*images, "--image-encoder", task.pictures]
    lines = []
    for what, options in variants.items():
        folder, told = model(task, box, what.replace(" ", "").replace(",", "-"), *options)
        asked = images if "pictures" in what else []
        lines.append(
            line(task, what, shelfwise("evaluate", folder, task.products, "--split", "split", *asked), told)
        )
        print(lines[-1], flush=True)
        if what == "text + pictures, pretrained":
            lines += answers_with_less(task, box, folder)
    return lines + (peers_of(task) if task.peers else [])


def answers_with_less(task: Task, box: Path, folder: Path) -> list[dict[str, Any]]:
    """What the model with every view answers where something is missing."""
    frame = pl.read_parquet(task.products)
    blank = box / f"{task.name}-blank.parquet"
    frame.with_columns(pl.lit(None, pl.String).alias(n) for n in TEXT if n in frame.columns).write_parquet(
        blank
    )
    told = []
    for what, products, images in (
        ("both trained, text alone asked", task.products, False),
        ("both trained, picture alone asked", blank, True),
        ("both trained, nothing asked", blank, False),
    ):
        words = ["--images", str(task.images)] if images else []
        told.append(line(task, what, shelfwise("evaluate", folder, products, "--split", "split", *words)))
        print(told[-1], flush=True)
    return told


def sentence_of(task: Task, box: Path) -> list[dict[str, Any]]:
    """Text, and text with a sentence encoder as one more view."""
    lines = []
    variants = {"text": [], "text + sentence encoder": ["--text-encoder", task.sentence]}
    for what, options in variants.items():
        folder, told = model(task, box, what.replace(" ", ""), "--image-encoder", "none", *options)
        lines.append(line(task, what, shelfwise("evaluate", folder, task.products, "--split", "split"), told))
        print(lines[-1], flush=True)
    return lines


def peers_of(task: Task) -> list[dict[str, Any]]:
    """The usual pipeline on the same vectors: logistic regression, alone and joined to TF-IDF."""
    from scipy import sparse
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import f1_score
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    frame = pl.read_parquet(task.products).drop_nulls("category_path")
    vectors = encoded(task, frame)
    train, test = ((frame["split"] == side).to_numpy() for side in ("train", "test"))
    y = frame["category_path"].to_numpy()
    X = StandardScaler().fit(vectors[train]).transform(vectors)

    def scored(what: str, answers: np.ndarray) -> dict[str, Any]:
        told = {
            "rows": int(test.sum()),
            "weighted_f1": f1_score(y[test], answers, average="weighted"),
            "macro_f1": f1_score(y[test], answers, average="macro"),
        }
        print(task.name, what, told, flush=True)
        return line(task, what, told)

    alone = LogisticRegression(max_iter=100, C=0.003).fit(X[train], y[train])
    lines = [scored("scikit-learn: logistic regression on the vectors", alone.predict(X[test]))]
    if task.has_text:
        texts = frame.select(
            pl.concat_str([pl.col(n).fill_null("") for n in TEXT[:4]], separator=" ")
        ).to_series()
        tfidf = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
        words = tfidf.fit(texts.filter(pl.Series(train)).to_list()).transform(texts.to_list())
        unit = X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), 1e-9)
        joined = sparse.hstack([words, sparse.csr_matrix(unit)]).tocsr()
        both = LinearSVC().fit(joined[train], y[train])
        lines.append(scored("scikit-learn: TF-IDF and vectors joined, LinearSVC", both.predict(joined[test])))
    return lines


def encoded(task: Task, frame: pl.DataFrame) -> np.ndarray:
    """The vectors that the encoders of the task give, from the cache; zeros where there is no picture."""
    from shelfwise.catalogue.pictures import PictureFolder
    from shelfwise.features.cache import VectorCache
    from shelfwise.features.encode import encode_pictures
    from shelfwise.features.encoders import open_image_encoder

    found = PictureFolder(task.images).find(frame)
    parts = [
        encode_pictures(open_image_encoder(spec), found, VectorCache()) for spec in task.pictures.split("+")
    ]
    return np.concatenate([part.vectors for part in parts], axis=1)


def main() -> None:
    """Run what was asked for, and keep the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--encoders", required=True, type=Path, help="folder of ONNX encoders")
    parser.add_argument("--sentence", default="", help="folder of a sentence encoder")
    parser.add_argument("--only", default="fashion,clothing,flipkart,instacart")
    parser.add_argument("--without-peers", action="store_true", help="Shelfwise alone")
    asked = parser.parse_args()
    chain = "+".join(f"onnx:{path.resolve()}" for path in sorted(asked.encoders.iterdir()) if path.is_dir())
    sentence = f"st:{Path(asked.sentence).resolve()}" if asked.sentence else "none"
    for name in asked.only.split(","):
        kept = [run for run in stored("pictures")["runs"] if run["catalogue"] != name]
        with tempfile.TemporaryDirectory() as box:
            task = prepare(name, Path(box), chain, sentence, not asked.without_peers)
            lines = pictures_of(task, Path(box)) if task.images else []
            if sentence != "none" and name in ("instacart", "flipkart"):
                lines += sentence_of(task, Path(box))
        results = {"runs": kept + lines, "circumstances": circumstances()}
        store("pictures", results, written(results))


def written(results: dict[str, Any]) -> str:
    """The results as a table."""
    head = ["catalogue", "what", "test rows", "weighted F1", "macro F1"]
    rows = [
        (r["catalogue"], r["what"], f"{r['rows']:,}", f"{r['weighted_f1']:.2f}", f"{r['macro_f1']:.2f}")
        for r in results["runs"]
    ]  # fmt: skip
    return f"{table(head, rows)}\n\n{in_words(results['circumstances'])}"


if __name__ == "__main__":
    main()
