"""The page's interface, asked of a real server as the page asks it."""

from __future__ import annotations

import json
import struct
import uuid
from urllib.parse import quote

import numpy as np
import polars as pl
import pytest

from review_client import Client, served
from review_shop import make_shop
from shelfwise.review.security import POLICY


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return make_shop(tmp_path_factory.mktemp("shop"), 120)


@pytest.fixture(scope="module")
def server(shop):
    with served(shop[0]) as client:
        yield client


def test_about_says_what_there_is(server, shop):
    told = server.get("about")
    file = pl.read_parquet(shop[0])
    assert told["products"] == 120
    assert told["kinds"] == dict(file["kind"].value_counts().iter_rows())
    assert told["levels"] == 3
    assert told["has_pictures"]
    assert told["has_map"]
    assert told["can_decide"]
    assert sum(seller["count"] for seller in told["sellers"]) == 120
    assert any("pictures are not in" in note for note in told["notes"])


def test_the_list_is_ordered_narrowed_and_paged(server):
    first = server.get("doubts", limit=30, state="all")
    rest = server.get("doubts", limit=200, offset=30, state="all")
    items = [*first["items"], *rest["items"]]
    assert first["total"] == rest["total"] == len(items) == 120
    doubts = [item["doubt"] for item in items]
    assert doubts == sorted(doubts, reverse=True)
    kind = server.get("doubts", kind="outlier", least=0.05, state="all", limit=200)
    wanted = [item["id"] for item in items if item["kind"] == "outlier" and item["doubt"] >= 0.05]
    assert [item["id"] for item in kind["items"]] == wanted
    shelf = server.get("doubts", shelf="Clothing > Shoes", role="given", state="all")
    assert shelf["total"] == sum(item["given"].startswith("Clothing > Shoes > ") for item in items) > 0
    title = items[5]["title"]
    assert [item["id"] for item in server.get("doubts", text=title.upper(), state="all")["items"]] == [
        items[5]["id"]
    ]


@pytest.mark.parametrize(
    "query",
    [{"least": "x"}, {"least": "nan"}, {"most": 2}, {"state": "x"}, {"limit": "-1"}, {"offset": "1e9"}],
)
def test_a_query_that_cannot_be_is_told(server, query):
    told = server.get("doubts", **query)
    assert told["status"] == 400
    assert told["error"]["code"] == "query"


def test_a_product_tells_everything(server, shop):
    told = server.get("products/0")
    row = pl.read_parquet(shop[0]).row(0, named=True)
    raw = pl.read_parquet(shop[1]).row(row["row"], named=True)
    assert told["product_id"] == row["product_id"]
    assert told["title"] == raw["title"]
    assert told["description"].startswith("A ")
    assert told["url"] == raw["url"]
    assert ["size", str(json.loads(raw["attributes"])["size"])] in told["attributes"]
    assert told["reasons"] == row["reasons"]
    near = [*told["neighbours"]["given"], *told["neighbours"]["suggested"]]
    assert {n["product_id"] for n in near} == {n["product_id"] for n in row["neighbours"]}
    assert all(n["category"] == told["given"] for n in told["neighbours"]["given"])
    assert told["candidates"][0]["category"] == row["suggested"]


@pytest.mark.parametrize(
    "path", ["products/120", f"products/{10**30}", "products/x", "tree?node=9999", "nothing"]
)
def test_what_is_not_there_is_404_with_a_code(server, path):
    told = server.get(path)
    assert told["status"] == 404
    assert told["error"]["message"]


def test_the_picker_offers_the_models_candidates_first_and_searches(server):
    product = server.get("products/0")
    offered = server.get("shelves", product=0, limit=5)["items"]
    assert [o["category"] for o in offered if o["source"] == "model"] == [
        c["category"] for c in product["candidates"]
    ]
    assert len(offered) == 5
    found = server.get("shelves", q="KUCHE", limit=3)["items"]
    assert all("Küche" in item["path"] for item in found)
    start, end = found[0]["matches"][0]
    assert found[0]["text"][start:end] == "Küche"


def test_the_tree_counts_what_is_open_below(server):
    root = server.get("tree")
    assert sum(child["products"] for child in root["children"]) == 120
    clothing = next(child for child in root["children"] if child["name"] == "Clothing")
    inside = server.get("tree", node=clothing["node"])
    assert inside["path"] == ["Clothing"]
    assert sum(child["doubts_open"] for child in inside["children"]) == clothing["doubts_open"]


@pytest.mark.parametrize("colour", ["level1", "level3", "doubt", "kind", "decision"])
def test_the_map_is_points_in_the_order_of_ids(server, shop, colour):
    status, headers, body = server.ask("GET", f"/api/map?colour={colour}")
    assert (status, headers["content-type"]) == (200, "application/octet-stream")
    (n,) = struct.unpack("<I", body[:4])
    file = pl.read_parquet(shop[0])
    assert n == 120
    assert np.array_equal(np.frombuffer(body[4 : 4 + 4 * n], "<f4"), file["x"].to_numpy(), equal_nan=True)
    assert np.array_equal(np.frombuffer(body[4 + 4 * n : 4 + 8 * n], "<f4"), file["y"].to_numpy())
    colours = np.frombuffer(body[4 + 8 * n :], "<u2")
    legend = server.get("map/legend", colour=colour)
    if colour == "doubt":
        assert np.abs(colours / legend["largest"] - file["doubt"].to_numpy()).max() < 0.001
    else:
        assert np.bincount(colours, minlength=len(legend["names"])).tolist() == legend["counts"]
    if colour == "level1":
        assert [legend["names"][c] for c in colours] == [g.split(" > ")[0] for g in file["given"]]


def test_an_unknown_colour_is_told(server):
    assert server.get("map", colour="level9")["status"] == 400


def test_pictures_are_jpegs_that_the_browser_may_ask_about_again(server):
    product = server.get("products/0")
    near = next(
        n for n in product["neighbours"]["given"] + product["neighbours"]["suggested"] if n["picture"]
    )
    for path in (server.get("doubts")["items"][0]["picture"] or near["picture"], near["picture"]):
        status, headers, body = server.ask("GET", f"{path}?size=160")
        assert (status, headers["content-type"], body[:2]) == (200, "image/jpeg", b"\xff\xd8")
        assert server.ask("GET", f"{path}?size=160", If_None_Match=headers["etag"])[0] == 304


@pytest.mark.parametrize(
    "path",
    [
        "/pictures/0/1", "/pictures/999/0", "/pictures/neighbour/..%2F..%2Fetc%2Fpasswd",
        "/pictures/neighbour/%2Fetc%2Fpasswd", "/pictures/../../../etc/passwd", "/pictures/neighbour/",
        "/static/../app.py", "/static/..%2f..%2fapp.py", "/static/%2e%2e/desk.py", "/static//etc/passwd",
        "/static/%00", "/pictures/neighbour/SKU-000000%00",
    ],
)  # fmt: skip
def test_no_path_leads_out(server, path):
    status, _, body = server.ask("GET", path)
    assert status == 404
    assert b"root:" not in body
    assert b"import" not in body


def test_an_odd_size_is_refused(server):
    assert server.ask("GET", "/pictures/0/0?size=161")[0] == 400


# -- deciding: each test has products of its own -------------------------------------------------------------


def test_decisions_are_kept_shown_and_undone(server):
    at = server.get("changes")["seq"]
    told = server.decide(
        {"id": 10, "action": "accept"}, {"id": 11, "action": "keep"}, {"id": 12, "action": "unsure"}
    )
    assert (told["saved"], told["conflicts"]) == (3, [])
    lines = {line["id"]: line for line in server.get("changes", since=at)["items"]}
    product = server.get("products/10")
    assert (lines[10]["state"], lines[10]["decision"]) == ("decided", product["suggested"])
    assert (lines[12]["state"], lines[12]["decision"]) == ("unsure", None)
    assert [h["action"] for h in product["history"]] == ["accept"]
    assert 12 in [item["id"] for item in server.get("doubts", state="unsure")["items"]]
    assert sorted(server.undo()["undone"]) == [10, 11, 12]
    assert server.get("products/10")["state"] == "open"
    assert server.get("products/10")["history"][0]["undone"]


def test_the_same_request_twice_is_one_decision(server):
    key = str(uuid.uuid4())
    first, second = (server.decide({"id": 13, "action": "keep"}, key=key) for _ in range(2))
    assert first["seq"] == second["seq"]
    assert len(server.get("products/13")["history"]) == 1
    other = server.decide({"id": 14, "action": "keep"}, key=key)
    assert (other["status"], other["error"]["code"]) == (409, "key")


def test_two_people_see_each_other_and_where_they_differ(server):
    bob = Client(server.address, "Bób; O'Neil")
    at = server.get("changes")["seq"]
    server.decide({"id": 20, "action": "accept"})
    assert [line["who"] for line in bob.get("changes", since=at)["items"]] == ["Ada"]
    told = bob.decide({"id": 20, "action": "keep"})
    accepted = server.get("products/20")["suggested"]
    assert told["conflicts"] == [{"id": 20, "who": "Ada", "category": accepted}]
    assert server.get("products/20")["history"][-1]["who"] == "Bób; O'Neil"
    agreement = server.get("progress")["agreement"]
    assert agreement["both"] >= 1
    assert server.undo()["undone"] == [20]  # Ada's own, not Bob's
    assert server.get("products/20")["decision"] == server.get("products/20")["given"]


def test_a_new_shelf_is_in_the_picker_at_once_and_can_be_chosen(server):
    made = server.post("shelves", category="Clothing > Hats >  Straw hats")
    assert made == {"category": "Clothing > Hats > Straw hats"}
    assert server.get("shelves", q="straw")["items"][0]["category"] == made["category"]
    assert server.decide({"id": 21, "action": "move", "category": made["category"]})["saved"] == 1
    told = server.decide({"id": 22, "action": "move", "category": "Brand new", "new": True})
    assert told["saved"] == 1
    assert server.get("products/22")["decision"] == "Brand new"


@pytest.mark.parametrize(
    ("item", "code"),
    [
        ({"id": 30, "action": "move", "category": "No such shelf"}, "no_shelf"),
        ({"id": 30, "action": "move"}, "action"),
        ({"id": 30, "action": "keep", "category": "x"}, "action"),
        ({"id": 30, "action": "undo"}, "action"),
        ({"id": 9999, "action": "keep"}, "unknown"),
        ({"id": -1, "action": "keep"}, "body"),
        ({"id": "30", "action": "keep"}, "body"),
        ({"id": 30, "action": "keep", "who": "Eve"}, "body"),
    ],
)
def test_a_decision_that_cannot_be_keeps_nothing(server, item, code):
    told = server.decide({"id": 31, "action": "keep"}, item)
    assert told["error"]["code"] == code
    assert server.get("products/31")["history"] == []


def test_a_product_twice_in_one_request_is_refused(server):
    told = server.decide({"id": 31, "action": "keep"}, {"id": 31, "action": "accept"})
    assert told["error"]["code"] == "twice"


def test_bulk_decides_what_was_shown_and_only_that(server):
    picked = server.post("selections", ids=[40, 41, 42, 9999, 42])
    assert picked["count"] == 3
    narrowed = {"selection": picked["selection"]}
    wrong = server.post("bulk", key=str(uuid.uuid4()), filter=narrowed, action="accept", expect=4)
    assert (wrong["status"], wrong["error"]["code"]) == (409, "changed")
    key = str(uuid.uuid4())
    for _ in range(2):  # the same request again finds none open, and is the same request
        told = server.post("bulk", key=key, filter=narrowed, action="accept", expect=3)
        assert told["saved"] == 3
    assert [server.get(f"products/{n}")["state"] for n in (40, 41, 42)] == ["decided"] * 3
    assert len(server.get("products/40")["history"]) == 1
    assert sorted(server.undo()["undone"]) == [40, 41, 42]
    assert server.get("doubts", selection="unknown")["error"]["code"] == "selection"


def test_a_decision_moves_the_doubts_of_the_same_kind(server, shop):
    file = pl.read_parquet(shop[0]).with_row_index("id")
    pairs = file.group_by("given", "suggested", maintain_order=True).agg("id")["id"].to_list()
    ids = next(ids for ids in pairs if len(ids) >= 2 and min(ids) > 60)
    before = server.get(f"products/{ids[-1]}")["doubt"]
    server.decide(*({"id": n, "action": "accept"} for n in ids[:-1]))
    after = server.get(f"products/{ids[-1]}")
    assert after["doubt"] > before
    assert after["doubt_before"] == pytest.approx(file["doubt"][ids[-1]], abs=1e-4)
    server.undo()
    assert server.get(f"products/{ids[-1]}")["doubt"] == before


def test_export_is_a_table_of_the_decisions(server, tmp_path):
    server.decide({"id": 50, "action": "accept"})
    status, headers, body = server.ask("GET", "/api/export?form=parquet")
    assert status == 200
    assert headers["content-disposition"] == 'attachment; filename="decisions.parquet"'
    (tmp_path / "d.parquet").write_bytes(body)
    made = pl.read_parquet(tmp_path / "d.parquet")
    assert made.columns == [
        "product_id",
        "row",
        "before",
        "category",
        "action",
        "who",
        "at",
        "doubt",
        "model",
    ]
    product = server.get("products/50")
    mine = made.filter(pl.col("product_id") == product["product_id"])
    assert mine.select("row", "before", "category", "who").rows() == [
        (product["row"], product["given"], product["suggested"], "Ada")
    ]
    assert server.ask("GET", "/api/export?form=csv")[2].startswith(b"product_id,row,before")
    assert server.get("export", form="xlsx")["status"] == 400


# -- who may ask ---------------------------------------------------------------------------------------------


def post(server, **changed):
    headers = {
        "Content_Type": "application/json", "X_Shelfwise": server.get("about")["token"],
        "Origin": f"http://{server.host}", "Sec_Fetch_Site": "same-origin", **changed,
    }  # fmt: skip
    headers = {name: value for name, value in headers.items() if value is not None}
    body = json.dumps({"ids": [1]}).encode()
    status, _, answer = server.ask("POST", "/api/selections", body, **headers)
    return status, json.loads(answer).get("error", {}).get("code")


def test_the_page_itself_and_a_program_with_the_token_may_post(server):
    assert post(server) == (200, None)
    assert post(server, Origin=None, Sec_Fetch_Site=None) == (200, None)


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"Origin": "http://evil.example"}, (403, "origin")),
        ({"Origin": "null"}, (403, "origin")),
        ({"Sec_Fetch_Site": "cross-site"}, (403, "origin")),
        ({"Sec_Fetch_Site": "same-site"}, (403, "origin")),
        ({"Host": "evil.example"}, (403, "host")),
        ({"X_Shelfwise": None}, (403, "token")),
        ({"X_Shelfwise": "wrong"}, (403, "token")),
        ({"Content_Type": "text/plain"}, (415, "content_type")),
        ({"Content_Type": None}, (415, "content_type")),
        ({"Content_Length": "99999999999"}, (413, "too_large")),
    ],
)
def test_nobody_else_may(server, changed, refusal):
    assert post(server, **changed) == refusal


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "evil.example:80", "", "[::1", "a b"]
)
def test_reading_under_another_name_is_refused(server, host):
    status, _headers, body = server.ask("GET", "/api/about", Host=host)
    assert status in (400, 403)
    assert b"token" not in body


@pytest.mark.parametrize("path", ["/api/about", "/pictures/0/0"])
def test_other_pages_may_not_read_data_either(server, path):
    assert server.ask("GET", path, Sec_Fetch_Site="cross-site")[0] == 403


@pytest.mark.parametrize(
    "path", ["/", "/api/about", "/api/nothing", "/nothing", "/pictures/0/0", "/static/x"]
)
def test_every_answer_carries_the_headers(server, path):
    for told in ({}, {"Host": "evil.example"}):
        headers = server.ask("GET", path, **told)[1]
        assert headers["content-security-policy"] == POLICY
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert (
            headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
        )
        assert "server" not in headers
        assert not path.startswith("/api") or headers["cache-control"] == "no-store"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE"])
def test_other_methods_are_not_answered(server, method):
    assert server.ask(method, "/api/about")[0] == 405


# -- hostile texts -------------------------------------------------------------------------------------------

PAYLOADS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "'\"`${7*7}{{7*7}}",
    "</script><svg/onload=alert(1)>",
    '=HYPERLINK("http://x")',
    "\u202eabc",
    "a\\u003cb",
]


def test_payloads_come_back_as_text_in_json_and_nowhere_else(tmp_path):
    doubts, catalogue, _ = make_shop(tmp_path, 40, pictures=False)
    hostile = [PAYLOADS[n % len(PAYLOADS)] for n in range(42)]
    frame = pl.read_parquet(catalogue).with_columns(brand=pl.Series(hostile), seller=pl.Series(hostile))
    frame.write_parquet(catalogue)
    with served(doubts, who=PAYLOADS[0]) as client:
        told = client.decide({"id": 0, "action": "move", "category": PAYLOADS[1], "new": True})
        assert told["saved"] == 1
        for path in (
            "/api/about",
            "/api/doubts?state=all",
            "/api/products/0",
            "/api/shelves?q=img",
            "/api/progress",
        ):
            status, headers, body = client.ask("GET", path)
            assert (status, headers["content-type"]) == (200, "application/json")
            json.loads(body)
        assert client.get("products/0")["decision"] == PAYLOADS[1]
        assert client.get("progress")["by_reviewer"][0]["who"] == PAYLOADS[0]
        status, headers, _ = client.ask("GET", f"/{quote(PAYLOADS[0])}")
        assert (status, headers["content-type"]) == (404, "application/json")
