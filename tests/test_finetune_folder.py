"""The folder: whole or not at all, and never over something else."""

from __future__ import annotations

import json

import pytest

from finetune_bases import KINDS, lesson, picture_base, settings, text_base
from shelfwise.errors import EncoderError
from shelfwise.finetune import finetune
from shelfwise.finetune.folder import check_output, finished, labels_digest, read_about


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("written")
    finetune(lesson(), settings(text=text_base(folder / "base"), epochs=1), folder / "out")
    return folder


def test_what_is_in_it(written):
    about = read_about(written / "out")

    assert about["classes"] == list(KINDS)
    assert about["labels"] == labels_digest(KINDS)
    assert about["pooling"] == {"text": "mean"}
    assert about["max_tokens"] == {"text": 8}
    assert about["base"] == {"text": f"hf:{written / 'base'}"}
    assert about["scores"]["epoch"] == 1
    assert [path.name for path in written.iterdir() if path.name.startswith(".")] == []


def test_transformers_and_sentence_transformers_open_it(written):
    import transformers

    model = transformers.AutoModel.from_pretrained(str(written / "out"))
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(written / "out"))

    assert model.config.hidden_size == 16
    assert tokenizer("boot")["input_ids"] == [2, 4, 3]
    modules = json.loads((written / "out" / "modules.json").read_text())
    assert [entry["path"] for entry in modules] == ["", "1_Pooling"]


def test_joint_has_a_folder_a_side(tmp_path):
    given = settings(text=text_base(tmp_path / "t"), picture=picture_base(tmp_path / "p"), epochs=1, width=6)
    finetune(lesson(12, pictures=True), given, tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}

    assert names == {
        "text",
        "picture",
        "joint.safetensors",
        "head.safetensors",
        "shelfwise.json",
        "training.json",
    }
    assert (tmp_path / "out" / "picture" / "preprocessor_config.json").is_file()


def test_something_else_is_left_as_it_is(written, tmp_path):
    taken = tmp_path / "taken"
    taken.mkdir()
    check_output(taken, [])
    (taken / "precious.txt").write_text("x")
    with pytest.raises(EncoderError, match="left as it is"):
        check_output(taken, [])
    with pytest.raises(EncoderError, match="base model"):
        check_output(written / "base", [written / "base"])
    with pytest.raises(EncoderError, match="base model"):
        check_output(written, [written / "base"])
    check_output(written / "out", [])


def test_another_training_replaces_it(written):
    run = read_about(written / "out")["run"]
    assert finished(written / "out", run) is not None
    assert finished(written / "out", {**run, "the data": "other"}) is None

    finetune(lesson(), settings(text=f"hf:{written / 'base'}", epochs=1, seed=9), written / "out")

    assert finished(written / "out", run) is None


def test_a_newer_folder_is_refused(written, tmp_path):
    about = {**read_about(written / "out"), "format": 99}
    (tmp_path / "shelfwise.json").write_text(json.dumps(about))

    with pytest.raises(EncoderError, match="newer"):
        read_about(tmp_path)
    with pytest.raises(EncoderError, match="no fine-tuned encoder"):
        read_about(written)
