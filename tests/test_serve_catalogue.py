"""The example that sends a catalogue through a server: its scores are scikit-learn's, through either door."""

import importlib.util
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_shop import PATIENT, serving
from shelfwise.categorizer import Categorizer
from shelfwise.evaluate import score
from shelfwise.evaluate.judge import judge
from shelfwise.recipe import PicturesRecipe, Recipe

EXAMPLE = Path(__file__).parent.parent / "examples" / "serve_catalogue.py"


@pytest.fixture(scope="module")
def example():
    specification = importlib.util.spec_from_file_location("serve_catalogue", EXAMPLE)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcde")), min_size=1, max_size=40))
def test_scores_are_those_of_scikit_learn(example, pairs):
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support

    frame = pl.DataFrame(pairs, schema=["given", "said"], orient="row")
    right, said = frame["given"].to_list(), frame["said"].to_list()
    printed = re.findall(r"[\d.]+", re.sub("f1", "", example.scores(frame)))
    wanted = [accuracy_score(right, said)]
    both = [
        precision_recall_fscore_support(right, said, average=how, zero_division=0)[:3]
        for how in ("weighted", "macro")
    ]
    wanted += [value for pair in zip(*both, strict=True) for value in pair]

    assert [float(value) for value in printed] == pytest.approx(wanted, abs=6e-5)


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")), min_size=1, max_size=40))
def test_the_matrix_counts_as_scikit_learn_does(example, pairs):
    from sklearn.metrics import confusion_matrix

    frame = pl.DataFrame(pairs, schema=["given", "said"], orient="row")
    names, table = example.counts(frame, 4)
    less, cut = example.counts(frame, 1)

    if len(names) > 1:
        assert table == confusion_matrix(frame["given"], frame["said"], labels=names).tolist()
    assert sum(map(sum, cut)) == frame.height
    assert less[1:] in ([], [f"({len(names) - 1} others)"])
    assert all(name in example.confusion(frame, 4) for name in names)


def test_a_catalogue_with_pictures_goes_through_both_doors(demo, tmp_path):
    pictures = PicturesRecipe(folder=str(demo.images), learner="both", units=16, members=1)
    model = Categorizer(Recipe(pictures=pictures, threads=1)).fit(demo.catalogue, split="split")
    wanted = score(judge(model, demo.catalogue, split="split"), draws=0).overall
    model.recipe = replace(model.recipe, pictures=replace(pictures, folder=""))
    model.save(tmp_path / "model")
    about = [
        "--label",
        "category",
        "--images",
        demo.images,
        "--split",
        "split",
        "--batch",
        "8",
        "--shown",
        "5",
    ]
    said = []
    with serving(f"shop={tmp_path / 'model'}", "--lame-duck", "0", *PATIENT) as server:
        for address in (server.http, f"grpc://{server.grpc}"):
            command = [sys.executable, EXAMPLE, address, demo.catalogue, *about]
            done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=True)
            said.append(done.stdout.splitlines())
    numbers = {line.split()[0]: [float(n) for n in line.split()[1:]] for line in said[0][1:7] if "." in line}

    assert said[0][1:] == said[1][1:]
    assert any("others)" in line for line in said[0])
    assert numbers["accuracy"] == pytest.approx([wanted.accuracy], abs=6e-5)
    assert numbers["f1"] == pytest.approx([wanted.weighted_f1, wanted.macro_f1], abs=6e-5)
