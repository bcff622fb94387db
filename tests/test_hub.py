"""Models by name: from a folder, from the hub's cache, from the hub, or a quick and helpful refusal."""

from __future__ import annotations

import time
import types

import pytest

from shelfwise.errors import EncoderError
from shelfwise.features import hub
from shelfwise.features.hub import model_folder

huggingface_hub = pytest.importorskip("huggingface_hub")
NAME = "somebody/no-such-model-here"


@pytest.fixture
def answers(monkeypatch, tmp_path):
    """What the hub answers: an error to raise, a function to call, or a commit."""

    def set_up(answer, snapshot=None):
        class Api:
            def model_info(self, name, timeout):
                if isinstance(answer, Exception):
                    raise answer
                return types.SimpleNamespace(sha=answer() if callable(answer) else answer)

        def download(name, local_files_only=False, **rest):
            if local_files_only or snapshot is None:
                raise FileNotFoundError("not in the cache")
            snapshot.append(rest)
            return str(tmp_path)

        monkeypatch.setattr(huggingface_hub, "HfApi", Api)
        monkeypatch.setattr(huggingface_hub, "snapshot_download", download)

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    return set_up


def test_a_folder_is_itself(tmp_path):
    assert model_folder("hf:x", str(tmp_path)) == tmp_path


@pytest.mark.parametrize("name", ["./models/bert", "/models/bert", "models/large/bert", "../bert", "a b/c"])
def test_what_can_only_be_a_folder_is_not_looked_up(name):
    with pytest.raises(EncoderError, match="does not exist; give the folder"):
        model_folder(f"hf:{name}", name)


def test_without_a_network_the_answer_is_quick_and_says_what_to_do(answers):
    answers(ConnectionError("Name or service not known"))
    began = time.monotonic()

    with pytest.raises(EncoderError, match="cannot be reached") as caught:
        model_folder(f"st:{NAME}", NAME)

    assert time.monotonic() - began < 5
    assert f"hf download {NAME} --local-dir FOLDER" in str(caught.value)
    assert "st:FOLDER" in str(caught.value)


def test_a_hub_that_never_answers_is_given_up(answers, monkeypatch):
    monkeypatch.setattr(hub, "_SECONDS", 0.2)
    answers(lambda: time.sleep(2))

    with pytest.raises(EncoderError, match="no answer"):
        model_folder(f"hf:{NAME}", NAME)


def test_offline_asks_nobody(answers, monkeypatch):
    answers(AssertionError("asked"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    with pytest.raises(EncoderError, match="HF_HUB_OFFLINE is set"):
        model_folder(f"hf:{NAME}", NAME)


def test_a_name_that_the_hub_does_not_have(answers):
    class RepositoryNotFoundError(Exception):
        pass

    answers(RepositoryNotFoundError("404"))

    with pytest.raises(EncoderError, match="no such model"):
        model_folder(f"hf:{NAME}", NAME)


def test_a_download_is_of_one_commit_and_of_plain_files(answers, tmp_path):
    fetched = []
    answers("abc123", fetched)

    assert model_folder(f"hf:{NAME}", NAME) == tmp_path
    assert fetched[0]["revision"] == "abc123"
    assert {"*.py", "*.bin"} <= set(fetched[0]["ignore_patterns"])


def test_a_download_that_breaks_off(answers):
    answers("abc123")

    with pytest.raises(EncoderError, match="broke off"):
        model_folder(f"hf:{NAME}", NAME)
