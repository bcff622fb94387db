"""`shelfwise demo --serve` as a process of its own."""

import json
import signal
import subprocess
import sys
import urllib.request

import polars as pl
from click.testing import CliRunner

from shelfwise.cli import main


def test_serves_a_shop_until_it_is_stopped(tmp_path):
    command = [
        sys.executable,
        "-m",
        "shelfwise",
        "demo",
        "--serve",
        "--products",
        "300",
        "--output",
        tmp_path,
    ]
    with subprocess.Popen(
        [*command, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            lines = []
            while not lines or not lines[-1].startswith("}"):
                lines.append(process.stdout.readline())
            told = json.loads("".join(lines))
            truth = pl.read_parquet(told["truth"])
            with urllib.request.urlopen(truth["url"][0]) as answer:
                assert answer.status == 200
            with urllib.request.urlopen(told["address"]) as answer:
                assert answer.url == f"{told['address']}en/"
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert process.stderr.read() == "Stopped.\n"
    assert pl.read_csv(told["hazards"]).height > 10


def test_too_small_a_shop_is_refused(tmp_path):
    done = CliRunner().invoke(main, ["demo", "--serve", "--products", "3", "--output", str(tmp_path)])

    assert done.exit_code == 2
    assert "at least 300" in done.stderr
