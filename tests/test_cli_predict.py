"""`shelfwise predict`: options become a run, and what came of it is told."""

from __future__ import annotations

import io
import json

import pytest
from click.testing import CliRunner

from scale_shop import dump, folder_sha256, sha256
from shelfwise.cli import main, terminal
from shelfwise.scale import bulk
from shelfwise.views.panel import Views


def run(*arguments):
    return CliRunner().invoke(main, ["predict", *map(str, arguments)])


@pytest.fixture(autouse=True)
def catalogue(tmp_path, monkeypatch):
    """A dump of two hundred products, read in shards of fifty."""
    monkeypatch.setattr(bulk, "SHARD", 50)
    monkeypatch.chdir(tmp_path)
    dump(200).write_parquet("dump.parquet")
    return "dump.parquet"


def test_state_tells_what_has_changed(saved_toy, catalogue):
    first = run(saved_toy, catalogue, "--output", "a.csv", "--state", "state")
    assert "Since the last run: 200 new, 0 changed, 0 same, 0 gone." in first.stdout
    dump(250)[50:].write_parquet(catalogue)
    told = json.loads(run(saved_toy, catalogue, "--output", "a.csv", "--state", "state", "--json").stdout)
    assert told["changes"] == {"new": 50, "changed": 0, "same": 150, "gone": 50}
    other = run(saved_toy, catalogue, "--output", "a.csv", "--state", "state", "--top", "1")
    assert "another options" in " ".join(other.stdout.split())


def test_folder_and_workers_and_place_of_the_shards(saved_toy, catalogue, tmp_path):
    assert run(saved_toy, catalogue, "--output", "one/", "--workers", "1").exit_code == 0
    assert run(saved_toy, catalogue, "--output", "two/", "--workers", "2", "--work", "scratch").exit_code == 0

    assert folder_sha256(tmp_path / "one") == folder_sha256(tmp_path / "two")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dump.parquet", "one", "scratch", "two"]


def test_run_that_was_stopped_tells_what_was_done_before(saved_toy, catalogue, tmp_path, monkeypatch):
    def stop(total):
        raise KeyboardInterrupt

    run(saved_toy, catalogue, "--output", "straight.csv")
    with monkeypatch.context() as patch:
        patch.setattr("shelfwise.scale.outputs.write_tables", lambda tables, *rest: [next(tables), stop(0)])
        assert run(saved_toy, catalogue, "--output", "a.csv").exit_code == terminal.INTERRUPTED
    again = run(saved_toy, catalogue, "--output", "a.csv")

    assert "An earlier run had done 50 of them." in again.stdout
    assert sha256(tmp_path / "a.csv") == sha256(tmp_path / "straight.csv")


def test_engine_that_is_unknown_is_refused(saved_toy, catalogue):
    refused = run(saved_toy, catalogue, "--output", "a.csv", "--engine", "dask")

    assert refused.exit_code == 2
    assert "dask" in refused.stderr


def test_an_index_that_cannot_be_used_is_said(saved_toy, catalogue, monkeypatch):
    monkeypatch.setattr(Views, "notes_", ["encoder: no index"])
    done = run(saved_toy, catalogue, "--output", "a.csv", "--json")

    assert done.exit_code == 0
    assert "encoder: no index" in done.stderr
    assert json.loads(done.stdout)["rows"] == 200


def test_progress_tells_rows_a_second(monkeypatch):
    from rich.console import Console

    shown = Console(file=io.StringIO(), force_terminal=True, width=100)
    monkeypatch.setattr(terminal, "_console", lambda stream: shown)
    with terminal.counting_rows("Predicting", 100) as notify:
        notify(40)
        notify(60)

    assert "rows/s" in shown.file.getvalue()
    assert "100/100" in shown.file.getvalue()
