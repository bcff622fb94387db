"""The Open Inference Protocol over HTTP on a real port: binary tensors both ways, and hostile ones."""

import json
import struct

import polars as pl
import pytest

from serve_shop import same

HEADER = "inference-header-content-length"


@pytest.fixture(scope="module")
def titles(demo):
    return pl.read_parquet(demo.catalogue)["title"].drop_nulls().head(12).to_list()


def binary(*columns, **more):
    """Body and headers of a request with columns (name, texts) as bytes."""
    packed = [b"".join(struct.pack("<I", len(t.encode())) + t.encode() for t in data) for _, data in columns]
    inputs = [
        {
            "name": name, "datatype": "BYTES", "shape": [len(data)],
            "parameters": {"binary_data_size": len(part)},
        }
        for (name, data), part in zip(columns, packed, strict=True)
    ]  # fmt: skip
    head = json.dumps({"inputs": inputs, **more}).encode()
    return head + b"".join(packed), {HEADER: str(len(head))}


def opened(response):
    """The outputs of an answer by name, those that came as bytes unpacked."""
    length = int(response.headers.get(HEADER, len(response.content)))
    said, rest = json.loads(response.content[:length]), response.content[length:]
    found = {}
    for output in said["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size")
        if size is None:
            found[output["name"]] = output["data"]
            continue
        part, rest = rest[:size], rest[size:]
        if output["datatype"] == "FP32":
            found[output["name"]] = list(struct.unpack(f"<{size // 4}f", part))
            continue
        found[output["name"]] = []
        while part:
            (long,) = struct.unpack_from("<I", part)
            found[output["name"]].append(part[4 : 4 + long].decode())
            part = part[4 + long :]
    assert not rest
    return found


def ask(server, body, headers, name="shop"):
    with server.client() as client:
        return client.post(f"/v2/models/{name}/infer", content=body, headers=headers)


def test_bytes_are_answered_as_json_is(server, titles):
    brands = ["Acme"] * len(titles)
    products = [{"title": title, "brand": "Acme"} for title in titles]
    wanted = server.predict({"products": products, "top": 3}).json()["predictions"]
    about = {"top": 3, "binary_data_output": True}
    response = ask(server, *binary(("title", titles), ("brand", brands), parameters=about))
    outputs = opened(response)

    assert response.headers["content-type"] == "application/octet-stream"
    assert outputs["category"] == [one["category"] for one in wanted]
    assert same(outputs["confidence"], [one["confidence"] for one in wanted])
    flat = [candidate["category"] for one in wanted for candidate in one["candidates"]]
    assert outputs["candidates"] == flat


def test_each_output_comes_as_it_is_asked_for(server, titles):
    outputs = [
        {"name": "category", "parameters": {"binary_data": True}},
        {"name": "confidence", "parameters": {"binary_data": False}},
        {"name": "status"},
    ]
    plain = opened(ask(server, *binary(("title", titles), outputs=[{"name": "category"}])))
    response = ask(server, *binary(("title", titles), outputs=outputs))
    length = int(response.headers[HEADER])
    said = {one["name"]: one for one in json.loads(response.content[:length])["outputs"]}

    assert opened(response)["category"] == plain["category"]
    assert ["data" in said[name] for name in ("category", "confidence", "status")] == [False, True, True]


def test_json_needs_no_content_type_and_has_its_defaults(server):
    tensor = {"name": "title", "datatype": "BYTES", "shape": [1], "data": ["boot"]}
    response = ask(server, json.dumps({"inputs": [tensor], "outputs": None, "parameters": None}), {})

    assert response.status_code == 200
    assert response.json()["outputs"][1]["name"] == "category"


@pytest.mark.parametrize("length", ["0", "-1", "x", "١", "99999", "9" * 5000, "5"])
def test_a_header_that_is_no_length_is_refused(server, length):
    body, _ = binary(("title", ["boot"]))
    response = ask(server, body, {HEADER: length.encode()})

    assert response.status_code == 400
    assert isinstance(response.json()["error"], str)


@pytest.mark.parametrize("size", [-1, 10**9, 7, "8", None, True, 2**70])
def test_sizes_that_do_not_fit_are_refused(server, size):
    tensor = {"name": "title", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": size}}
    head = json.dumps({"inputs": [tensor]}).encode()
    response = ask(server, head + b"\x04\x00\x00\x00boot", {HEADER: str(len(head))})

    assert response.status_code == 400, response.text


def test_refusals_are_those_of_the_protocol(server):
    body, headers = binary(("title", ["boot"]))
    many = binary(("title", ["boot"] * 51))
    huge = json.dumps({"inputs": [{"name": "title", "datatype": "BYTES", "shape": [10**12], "data": []}]})
    statuses = {
        "unknown": ask(server, body, headers, "other"),
        "many": ask(server, *many),
        "huge": ask(server, huge, {}),
        "long": ask(server, b"x" * 300_000, {}),
        "zipped": ask(server, body, headers | {"content-encoding": "gzip"}),
        "kind": ask(server, body, headers | {"content-type": "text/html"}),
        "extra": ask(server, body + b"x", headers),
        "empty": ask(server, b"", {}),
    }

    assert {name: one.status_code for name, one in statuses.items()} == {
        "unknown": 404, "many": 413, "huge": 413, "long": 413, "zipped": 415, "kind": 415, "extra": 400,
        "empty": 400,
    }  # fmt: skip
    assert all(isinstance(one.json()["error"], str) for one in statuses.values())
