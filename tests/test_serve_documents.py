"""Every request to a server that the documents show is sent as it stands there, and answered."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from serve_shop import PATIENT, png, serving

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "docs" / "how-to" / "serve.md"]


def examples(language, word):
    """Code blocks of the documents that speak to a server, each as one text."""
    blocks = []
    for page in PAGES:
        found = re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
        blocks += [block for block in found if word in block]
    return blocks


def commands(block):
    """The command lines of a block as lists of words; a line with spaces before it goes on with the last."""
    lines = re.split(r"\n(?=\S)", block.replace("\\\n", " ").strip())
    return [shlex.split(line) for line in lines]


@pytest.fixture(scope="module")
def server(saved, tmp_path_factory):
    corrections = tmp_path_factory.mktemp("documents") / "corrections.jsonl"
    more = ["--corrections", corrections, "--lame-duck", "0", *PATIENT]
    with serving(f"shelf={saved}", *more) as running:
        yield running


def at(server, text):
    """The text with the ports of this server."""
    return text.replace("http://localhost:8000", server.http).replace("localhost:8001", server.grpc)


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_curl_is_answered_as_the_documents_show_it(server, tmp_path):
    (tmp_path / "pumps.jpg").write_bytes(png())
    every = [line for block in examples("sh", "curl") for line in commands(at(server, block))]
    sent = [line for line in every if line[0] == "curl"]
    assert len(sent) >= 5
    for line in sent:
        done = subprocess.run(
            [*line, "-sS", "--fail-with-body"], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        assert {"predictions", "outputs", "corrected"} & set(json.loads(done.stdout))


def test_python_runs_as_the_documents_show_it(server, capsys):
    shown = examples("python", "shelfwise.client")
    assert len(shown) == 2
    for block in shown:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", at(server, block)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert " > " in done.stdout


def test_grpcurl_is_answered_as_the_documents_show_it(server):
    """By reflection and JSON, which is all that grpcurl does."""
    (line,) = [line for block in examples("sh", "grpcurl") for line in commands(at(server, block))]
    _, _, _, data, address, name = line
    service, _, method = name.partition("/")
    with grpc.insecure_channel(address) as channel:
        pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
        about = pool.FindServiceByName(service).FindMethodByName(method)
        request = json_format.Parse(data, message_factory.GetMessageClass(about.input_type)())
        call = channel.unary_unary(
            f"/{name}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=message_factory.GetMessageClass(about.output_type).FromString,
        )
        answer = json_format.MessageToDict(call(request))

    assert " > " in answer["prediction"]["category"]
    assert len(answer["prediction"]["candidates"]) == 3
