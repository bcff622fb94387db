"""The images, the composition and the dashboard: what they copy is there, what they query is in /metrics."""

import contextlib
import json
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import yaml

from serve_shop import serving

ROOT = Path(__file__).parent.parent
DOCKER = ROOT / "docker"
COMPOSE = yaml.safe_load((DOCKER / "compose.yaml").read_text())
DASHBOARD = json.loads((DOCKER / "grafana" / "dashboards" / "shelfwise.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]
RULES = [
    rule["expr"]
    for group in yaml.safe_load((DOCKER / "prometheus" / "rules.yaml").read_text())["groups"]
    for rule in group["rules"]
]


@pytest.fixture(scope="module")
def exposed(saved):
    """The metrics of a server that has answered: name -> the names of its labels."""
    with serving(f"m={saved}", "--admin", "--lame-duck", "0") as server, server.client() as client:
        for number in range(20):
            body = {"products": {"title": f"red boot {number}"}, "promise": 0.6}
            client.post("/v1/predict", json=body)
        client.post("/v1/predict", json={"products": {"title": "x"}, "model": "other"})
        client.post("/v1/models/m/reload", json={})
        lines = client.get("/metrics").text.splitlines()
    found = {}
    for line in lines:
        if line[:1] != "#":
            name, labels = re.match(r"(\w+)(?:\{(.*)\})? ", line).groups()
            found.setdefault(name, set()).update(re.findall(r'(\w+)="', labels or ""))
    return found


@pytest.mark.parametrize("query", [*QUERIES, *RULES])
def test_every_metric_that_is_queried_is_exposed_with_its_labels(query, exposed):
    names = set(re.findall(r"(?<![\w:])shelfwise_\w+", query))
    recorded = set(re.findall(r"shelfwise:[\w:]+", query))
    labels = {name for some in re.findall(r"by \(([^)]*)\)", query) for name in some.split(", ")}

    assert names or recorded
    assert names <= set(exposed)
    assert recorded <= set(re.findall(r"record: (\S+)", (DOCKER / "prometheus" / "rules.yaml").read_text()))
    assert labels <= set().union(*(exposed[name] for name in names), {"model"} if recorded else set())


def test_the_dashboard_shows_what_an_operator_asks_for():
    asked = " ".join(QUERIES)
    for name in (
        "requests_total", "refusals_total", "request_seconds_bucket", "queue_products", "batch_products",
        "promised_total", "shelves_total", "training_share", "words_total", "training_unknown_words",
        "shelfwise_model)",
    ):  # fmt: skip
        assert name in asked
    places = [tuple(panel["gridPos"].values()) for panel in DASHBOARD["panels"]]
    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)
    assert all(panel["title"] and panel["description"] for panel in PANELS)


def test_panels_ask_the_data_source_that_is_provisioned():
    file = DOCKER / "grafana" / "provisioning" / "datasources" / "prometheus.yaml"
    (source,) = yaml.safe_load(file.read_text())["datasources"]
    (provider,) = yaml.safe_load(
        (DOCKER / "grafana" / "provisioning" / "dashboards" / "shelfwise.yaml").read_text()
    )["providers"]
    grafana = COMPOSE["services"]["grafana"]

    assert {panel["datasource"]["uid"] for panel in PANELS} == {source["uid"]}
    assert source["url"] == "http://prometheus:9090"
    assert any(mount.split(":")[1] == provider["options"]["path"] for mount in grafana["volumes"])


def test_what_the_composition_mounts_and_builds_is_there():
    for service in COMPOSE["services"].values():
        if "build" in service:
            assert (DOCKER / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
        for mount in service["volumes"]:
            source = mount.split(":")[0]
            assert not source.startswith("./") or (DOCKER / source).exists(), source
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])  # nobody else's machine
    serve = COMPOSE["services"]["serve"]
    target = yaml.safe_load((DOCKER / "prometheus" / "prometheus.yaml").read_text())["scrape_configs"][0]
    assert serve["read_only"]
    assert serve["tmpfs"] == ["/tmp"]
    assert target["static_configs"][0]["targets"] == ["serve:8000"]


@pytest.mark.parametrize("job", ["serve", "train"])
def test_what_an_image_copies_is_there_and_not_ignored(job):
    text = (DOCKER / job / "Dockerfile").read_text()
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.*)$", text, flags=re.MULTILINE)
        for source in line.split()[:-1]
    ]
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}

    assert copied
    assert all((ROOT / source).exists() for source in copied)
    assert set(copied) <= kept
    assert "USER 10001:10001" in text
    assert 'ENTRYPOINT ["entry.sh"]' in text


def test_the_health_check_tells_ready_from_not(saved):
    check = [sys.executable, "-IS", str(DOCKER / "serve" / "healthy.py")]
    with serving(saved, "--lame-duck", "0") as server:
        ready = {"SHELFWISE_HEALTH": f"{server.http}/health/ready"}
        assert subprocess.run(check, env=ready).returncode == 0
        assert server.stop() == 0
        gone = subprocess.run(check, env=ready, capture_output=True, text=True)
    assert gone.returncode == 1
    assert ready["SHELFWISE_HEALTH"] in gone.stderr


def test_the_entry_hands_over_and_wants_a_folder_for_kernels(tmp_path):
    script, kernels = DOCKER / "entry.sh", tmp_path / "kernels"
    kernels.mkdir()
    (kernels / "a.nbi").write_bytes(b"")
    own = tmp_path / "shelfwise"
    own.write_text('#!/bin/sh\necho "$$ $@"\n')
    own.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "NUMBA_CACHE_DIR": str(kernels)}
    with subprocess.Popen(["sh", script, "serve", "a b"], env=environment, stdout=subprocess.PIPE) as process:
        said = process.stdout.read().decode().split()

    assert said == [str(process.pid), "serve", "a", "b"]  # in the script's own place: it gets the signals
    environment["NUMBA_CACHE_DIR"] = str(own / "no folder")
    refused = subprocess.run(["sh", script, "serve"], env=environment, capture_output=True, text=True)
    assert refused.returncode == 1
    assert "--tmpfs /tmp" in refused.stderr


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="Prometheus is not installed")
def test_prometheus_reads_a_server_and_answers_every_panel(saved, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = yaml.safe_load((DOCKER / "prometheus" / "prometheus.yaml").read_text())
    settings["global"] = {"scrape_interval": "500ms", "evaluation_interval": "500ms"}
    (tmp_path / "rules.yaml").write_text((DOCKER / "prometheus" / "rules.yaml").read_text())
    with serving(f"m={saved}", "--admin", "--lame-duck", "0") as server, server.client() as client:
        (job,) = settings["scrape_configs"]
        job["static_configs"] = [{"targets": [server.http.removeprefix("http://")]}]
        (tmp_path / "prometheus.yaml").write_text(yaml.safe_dump(settings))
        command = ["prometheus", f"--config.file={tmp_path}/prometheus.yaml"]
        command += [f"--storage.tsdb.path={tmp_path}/data", f"--web.listen-address=127.0.0.1:{port}"]
        with (
            (tmp_path / "log").open("w") as log,
            subprocess.Popen(command, stdout=log, stderr=log) as process,
            httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20, trust_env=False) as asker,
        ):
            try:
                values = ask_while_answering(asker, client)
            finally:
                process.terminate()

    empty = [query for query, found in values.items() if not found]
    assert empty == []
    assert all(result["health"] == "ok" for result in values.pop("rules"))


def ask_while_answering(asker, client):
    """What Prometheus says to each query once it has scraped a server; the state of its rules."""
    values, end = {query: [] for query in QUERIES}, time.monotonic() + 60
    wrong = {"products": {"title": "x"}, "model": "other"}
    while time.monotonic() < end and not all(values.values()):
        for number in range(10):
            client.post("/v1/predict", json={"products": {"title": f"red boot {number}"}, "promise": 0.6})
        client.post("/v1/predict", json=wrong)
        time.sleep(0.3)
        with contextlib.suppress(httpx.TransportError):  # it is not up yet
            for query in QUERIES:
                sent = (
                    query.replace("$__rate_interval", "5s").replace("$window", "5s").replace("$model", ".*")
                )
                said = asker.get("/api/v1/query", params={"query": sent}).json()
                assert said["status"] == "success", said
                values[query] = [one for one in said["data"]["result"] if one["value"][1] != "NaN"]
    groups = asker.get("/api/v1/rules").json()["data"]["groups"]
    return values | {"rules": [rule for group in groups for rule in group["rules"]]}
