"""The HTTP door, on a real port: answers, refusals, the Open Inference Protocol, hostile bodies."""

import json
import random

import polars as pl
import pytest

from serve_fuzz import odd_body
from serve_shop import offline, png, same
from shelfwise.predictions import PredictOptions


@pytest.fixture(scope="module")
def sent(demo):
    return pl.read_parquet(demo.catalogue).select("^(product_id|title|brand)$").head(20).to_dicts()


def test_answers_are_those_of_the_library(server, model, sent):
    for options in (PredictOptions(), PredictOptions(top=2, promise=0.6), PredictOptions(explain=True)):
        wanted = offline(model, sent, options)
        body = {"products": sent, "top": options.top, "promise": options.promise, "explain": options.explain}

        together = server.predict(body).json()["predictions"]
        apart = [server.predict(body | {"products": one}).json()["predictions"][0] for one in sent[:4]]

        assert same(together, wanted)
        assert same(apart, wanted[:4])


def test_an_answer_names_model_and_version(server):
    said = server.predict({"products": {"title": "boot"}, "model": "shop"}).json()
    with server.client() as client:
        (about,) = client.get("/v1/models").json()["models"]

    assert said["model"] == {"name": "shop", "version": about["version"]}
    assert len(about["version"]) == 16
    assert said["predictions"][0]["product_id"] == "0"


def test_unknown_fields_are_told(server):
    assert server.predict({"products": {"title": "boot", "titel": 1}}).json()["ignored"] == ["titel"]


def test_a_form_is_answered_as_json(server):
    wanted = server.predict({"products": {"title": "red boot"}, "top": 2}).json()
    with server.client() as client:
        fields = client.post("/v1/predict", data={"top": "2"}, files={"title": (None, "red boot")})
        whole = {"request": (None, json.dumps({"products": {"title": "red boot"}, "top": 2}))}
        asked = client.post("/v1/predict", files={**whole, "picture": ("a.png", png())})

    assert fields.json() == wanted
    assert asked.json()["predictions"] == wanted["predictions"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"products": [{"title": "x"}] * 51}, 413, "too_many_products"),
        ({"products": [{"title": "x"}] * 33, "explain": True}, 413, "too_many_products"),
        ({"products": {"title": "x" * 300_000}}, 413, "too_large"),
        ({"products": [], "top": 0}, 422, "body"),
        ({"products": [{"title": "x"}], "top": 1000}, 422, "top"),
        ({"products": [{"title": "x"}], "promise": 1.5}, 422, "body"),
        ({"products": [{"title": "x"}], "promise": 0.99999}, 422, "promise"),
        ({"products": [{"title": "x"}], "promise": 0.9999}, 422, "promise"),
        ({"products": [{"title": "x"}], "model": "other"}, 404, "unknown_model"),
        ({"product": {"title": "x"}}, 422, "body"),
        ([], 422, "body"),
    ],
)
def test_requests_that_do_not_fit_are_refused(server, body, status, code):
    response = server.predict(body)

    assert (response.status_code, response.json()["error"]["code"]) == (status, code)


def test_no_products_are_no_predictions(server):
    assert server.predict({"products": []}).json()["predictions"] == []


def test_bodies_of_other_kinds_are_refused(server):
    with server.client() as client:
        json_head = {"content-type": "application/json"}
        cut = client.post("/v1/predict", content=b'{"products": [', headers=json_head)
        text = client.post("/v1/predict", content=b"title=x", headers={"content-type": "text/plain"})
        chunks = client.post("/v1/predict", content=(b"x" * 50_000 for _ in range(9)), headers=json_head)
        other = client.put("/v1/predict")
        none = client.get("/nothing")

    assert [one.status_code for one in (cut, text, chunks, other, none)] == [400, 415, 413, 405, 404]
    assert all("error" in one.json() for one in (cut, text, chunks, other, none))


def test_one_bad_product_costs_itself(server):
    bad = [{"title": "boot"}, 7, {"nothing": 1}, None]
    got = server.predict({"products": bad}).json()["predictions"]

    assert [one["status"] for one in got] == ["ok", "unreadable", "unreadable", "unreadable"]
    assert [one.get("code") for one in got] == [None, "not_an_object", "no_field", "not_an_object"]


def test_every_answer_has_an_id_and_safe_headers(server):
    with server.client() as client:
        own = client.get("/", headers={"x-request-id": "mine-1"})
        made = client.get("/docs", headers={"x-request-id": "not fine"})

    assert own.headers["x-request-id"] == "mine-1"
    assert made.headers["x-request-id"] not in ("", "not fine")
    assert "script-src 'self'" in own.headers["content-security-policy"]
    assert "unsafe" not in own.headers["content-security-policy"]


def test_other_pages_may_not_ask(server):
    response = server.predict({"products": {"title": "x"}}, headers={"sec-fetch-site": "cross-site"})

    assert (response.status_code, response.json()["error"]["code"]) == (403, "origin")


def test_pages_load_nothing_from_elsewhere(server):
    with server.client() as client:
        texts = [client.get(path).text for path in ("/", "/docs", "/static/try.js", "/static/try.css")]

    assert not any("://" in text.replace("http://localhost:8000", "") for text in texts)
    assert "innerHTML" not in "".join(texts)


def test_openapi_speaks_of_every_route_that_answers(server):
    with server.client() as client:
        document = client.get("/openapi.json").json()
        body = document["paths"]["/v1/predict"]["post"]["requestBody"]
        example = body["content"]["application/json"]["example"]
        answer = client.post("/v1/predict", json=example | {"promise": None})
        names = {"name": "shop", "version": client.get("/v2/models/shop").json()["versions"][0]}
        statuses = {
            path: client.get(path.format(**names)).status_code
            for path, entry in document["paths"].items()
            if "get" in entry
        }

    assert document["openapi"].startswith("3.1")
    assert answer.status_code == 200
    assert set(statuses.values()) == {200}, statuses


def test_metrics_count_what_happened(server):
    server.predict({"products": {"title": "boot"}, "promise": 0.6})
    server.predict({"products": {"title": "boot"}, "model": "other"})
    with server.client() as client:
        lines = client.get("/metrics").text.splitlines()
    values = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[:1] != "#"}

    assert values['shelfwise_requests_total{door="http",outcome="200"}'] >= 1
    assert values['shelfwise_refusals_total{code="unknown_model"}'] >= 1
    assert values['shelfwise_predictions_total{model="shop",status="ok"}'] >= 1
    assert any(name.startswith('shelfwise_promised_total{model="shop"') for name in values)
    assert sum(v for k, v in values.items() if k.startswith("shelfwise_training_share")) == pytest.approx(1)
    assert values["shelfwise_queue_products"] == 0


def test_taxonomy_is_that_of_the_model(server, model):
    with server.client() as client:
        said = client.get("/v1/taxonomy").json()

    assert [one["category"] for one in said["categories"]] == list(model.taxonomy_.labels)
    assert sum(one["products"] for one in said["categories"]) == int(model.counts_.sum())


def test_what_is_not_switched_on_is_refused(server):
    with server.client() as client:
        reload = client.post("/v1/models/shop/reload", json={})
        correct = client.post("/v1/corrections", json={"products": {"title": "x"}, "categories": "y"})

    assert (reload.status_code, reload.json()["error"]["code"]) == (403, "admin_off")
    assert (correct.status_code, correct.json()["error"]["code"]) == (403, "corrections_off")


# -- Open Inference Protocol ---------------------------------------------------------------------------------


def test_tensors_are_answered_as_products(server, sent):
    titles = [one["title"] for one in sent]
    wanted = server.predict({"products": [{"title": title} for title in titles], "top": 3}).json()
    infer = {
        "id": "7",
        "inputs": [{"name": "title", "datatype": "BYTES", "shape": [len(titles)], "data": titles}],
        "parameters": {"top": 3},
    }
    with server.client() as client:
        said = client.post("/v2/models/shop/infer", json=infer).json()
        version = client.post(f"/v2/models/shop/versions/{said['model_version']}/infer", json=infer).json()
        other = client.post("/v2/models/shop/versions/1/infer", json=infer)
    outputs = {one["name"]: one for one in said["outputs"]}

    assert said["id"] == "7"
    assert version == said
    assert other.status_code == 404
    assert outputs["category"]["data"] == [one["category"] for one in wanted["predictions"]]
    assert outputs["confidence"]["data"] == [one["confidence"] for one in wanted["predictions"]]
    assert outputs["candidates"]["shape"] == [len(titles), 3]


@pytest.mark.parametrize(
    "change",
    [
        {"inputs": []},
        {"inputs": [{"name": "title", "datatype": "BYTES", "shape": [2], "data": ["a"]}]},
        {"inputs": [{"name": "title", "datatype": "TEXT", "shape": [1], "data": ["a"]}]},
        {"inputs": [{"name": "title", "datatype": "BYTES", "shape": [1, 2], "data": ["a", "b"]}]},
        {"outputs": [{"name": "logits"}]},
        {"parameters": {"top": "many"}},
    ],
)
def test_tensors_that_do_not_fit_are_refused(server, change):
    fine = {"inputs": [{"name": "title", "datatype": "BYTES", "shape": [1], "data": ["a"]}]}
    with server.client() as client:
        assert client.post("/v2/models/shop/infer", json=fine).status_code == 200
        assert client.post("/v2/models/shop/infer", json=fine | change).status_code == 400


# -- hostile bodies ------------------------------------------------------------------------------------------


def test_hostile_bodies_never_break_the_server(server):
    chance = random.Random(5)
    paths = ["/v1/predict", "/v2/models/shop/infer", "/v1/corrections"]
    kinds = ["application/json"] * 8 + ["multipart/form-data; boundary=x", "text/html", ""]
    statuses = []
    with server.client() as client:
        for _ in range(300):
            path = chance.choice(paths[:1] * 6 + paths)
            head = {"content-type": chance.choice(kinds)}
            response = client.post(path, content=odd_body(chance), headers=head)
            statuses.append(response.status_code)
            assert response.status_code < 500, response.text
            assert "Traceback" not in response.text

    assert statuses.count(200) > 20
    assert server.predict({"products": {"title": "boot"}}).status_code == 200
    assert not any('"level":"error"' in line for line in server.log)
