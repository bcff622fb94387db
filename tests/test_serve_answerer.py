"""The answerer: every digit is that of `Categorizer.predict`, whoever else is in the batch."""

import base64
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_shop import offline, png, rows, same
from shelfwise.categorizer import load
from shelfwise.predictions import PredictOptions
from shelfwise.serve.answerer import Answerer, Asked, Wish, _shortest
from shelfwise.serve.limits import LIMITS, Limits

TEXTS = ["Pumps rot", "<b>Stiefel</b> &amp; mehr", "Uhr  Quarz", "nan", "", "R&D", '["a", "b"]', "Größe 38"]
texts = st.one_of(st.none(), st.sampled_from(TEXTS), st.text(max_size=20))
products = st.fixed_dictionaries(
    {"title": texts},
    optional={
        "product_id": st.one_of(st.none(), st.sampled_from(["A1", " x ", "<i></i>", "7"])),
        "description": texts,
        "brand": st.sampled_from(["Acme", "Nork", None]),
    },
)
wishes = st.sampled_from([PredictOptions(), PredictOptions(top=2, promise=0.6), PredictOptions(top=99)])
requests = st.lists(st.tuples(st.lists(products, min_size=1, max_size=3), wishes), min_size=1, max_size=4)


def ask(answerer, asked):
    """Answers to several requests in one batch; options say what each wants."""
    intake, model = answerer.intake, answerer.model
    return answerer.answer(
        [
            Asked(
                [intake.read(one, set()) for one in sent],
                Wish(options.top, model.thresholds(options.promise), options.explain),
            )
            for sent, options in asked
        ]
    )


@pytest.fixture(scope="module")
def answerer(saved):
    return Answerer(load(saved), LIMITS)


@settings(max_examples=100)
@given(asked=requests)
def test_answers_are_those_of_the_library_in_any_batch(model, answerer, asked):
    for (sent, options), got in zip(asked, ask(answerer, asked), strict=True):
        wanted = offline(model, sent, options)

        assert same(
            [one | {"evidence": None} for one in rows(got)], [one | {"evidence": None} for one in wanted]
        )


def test_evidence_is_that_of_the_library(model, answerer, demo):
    sent = pl.read_parquet(demo.catalogue).select(pl.col("^title|brand|description$")).head(5).to_dicts()
    options = PredictOptions(top=3, promise=0.6, explain=True)

    assert same(rows(ask(answerer, [(sent, options)])[0]), offline(model, sent, options))


def test_numbers_print_as_in_a_file(answerer, model, tmp_path):
    sent = [{"title": "red boot"}, {"title": "Uhr Quarz"}]
    (got,) = ask(answerer, [(sent, PredictOptions())])
    model.predict_to_file(
        pl.DataFrame({model.roles_.title: [one["title"] for one in sent]}), tmp_path / "p.jsonl"
    )
    lines = (tmp_path / "p.jsonl").read_text("utf-8").splitlines()

    assert all(f'"confidence":{one.confidence},' in line for one, line in zip(got, lines, strict=True))


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=80))
def test_numbers_print_alike_few_or_many(values):
    wanted = [float(str(np.float32(value))) for value in values]

    assert _shortest(np.array([values], np.float32)) == [wanted]
    assert _shortest(np.array([values] * 40, np.float32)) == [wanted] * 40


def test_one_bad_product_costs_itself_alone(model, answerer):
    (got,) = ask(answerer, [([{"title": "boot"}, 5, {"unknown": 1}], PredictOptions())])

    assert [one.status for one in got] == ["ok", "unreadable", "unreadable"]
    assert [getattr(one, "code", None) for one in got[1:]] == ["not_an_object", "no_field"]
    assert same(rows(got)[0], offline(model, [{"title": "boot"}], PredictOptions())[0])


# -- pictures ------------------------------------------------------------------------------------------------


def test_pictures_are_answered_as_in_the_library(seeing, demo):
    answerer = Answerer(seeing, LIMITS)
    files = sorted(demo.images.iterdir())
    data = [file.read_bytes() for file in files[:3]]
    sent = [
        {"product_id": "1", "title": "thing", "picture": data[0]},
        {"product_id": "2", "picture": data[1]},
        {"product_id": "3", "title": "thing 3"},
        {"product_id": "4", "title": "thing", "picture": data[2][:600]},
        {"product_id": "5", "picture": png()},
    ]
    text = [
        one | ({"picture": base64.b64encode(one["picture"]).decode()} if "picture" in one else {})
        for one in sent
    ]
    for options in (PredictOptions(), PredictOptions(explain=True, promise=0.5)):
        apart = [answers[0] for answers in ask(answerer, [([one], options) for one in text])]
        (together,) = ask(answerer, [(text, options)])
        wanted = [row | {"evidence": row.get("evidence")} for row in with_pictures(seeing, sent, options)]

        for got in (apart, together):
            assert same([row | {"evidence": row.get("evidence")} for row in rows(got)], wanted)


def with_pictures(model, sent, options):
    """As `offline`, of a model whose catalogue has its pictures in files."""
    roles = model.roles_
    try:
        model.roles_ = replace(roles, image="picture")
        return offline(model, sent, options)
    finally:
        model.roles_ = roles


def test_a_picture_that_cannot_be_used_has_a_code(seeing):
    answerer = Answerer(seeing, Limits(pixels=1000))
    offers = [
        answerer.intake.read({"title": "thing", "picture": data}, set())
        for data in (png(), png(size=24)[:60], b"no")
    ]
    for offer in offers:
        answerer.looker.take(offer)
    (got,) = answerer.answer([Asked(offers, Wish())])

    assert [one.status for one in got] == ["ok"] * 3
    assert [one.code for one in got] == ["too_many_pixels", "truncated", "not_a_picture"]
    assert all(one.reason for one in got)
