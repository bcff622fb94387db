"""A server that is sent nonsense through both doors answers, refuses or closes; it never breaks or hangs."""

import json

from serve_fuzz import Fuzzer
from serve_shop import serving

BODY = {"products": {"title": "red leather boot"}}


def test_nonsense_through_both_doors_never_breaks_the_server(saved, tmp_path):
    more = ["--admin", "--corrections", tmp_path / "corrections.jsonl", "--lame-duck", "0"]
    with serving(f"shop={saved}", "--max-body", "200000", *more) as server:
        before = server.predict(BODY).json()
        fuzzer = Fuzzer(server.http, server.grpc, seed=3)
        fuzzer.send(500)
        fuzzer.close()
        after = server.predict(BODY).json()

        assert fuzzer.faults == []
        assert after["predictions"] == before["predictions"]
        kinds = {kind for kind, _ in fuzzer.outcomes}
        assert kinds == {"bodies", "tensors", "forms", "lines", "frames", "messages"}
        answered = sum(count for (_, outcome), count in fuzzer.outcomes.items() if outcome in ("200", "OK"))
        assert answered > 20
        assert server.stop() == 0
    assert server.log
    assert not any('"traceback"' in line for line in server.log), server.log
    assert all(json.loads(line)["level"] for line in server.log)  # nothing of what was sent gets into it raw
