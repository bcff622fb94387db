"""Settings of a fine-tuning: checked at once, and a digest over what changes the result."""

from __future__ import annotations

import pytest

from shelfwise.errors import RecipeError
from shelfwise.finetune import FinetuneSettings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("train", "some"),
        ("epochs", 0),
        ("batch", 2.5),
        ("batch", True),
        ("label_smoothing", 1.0),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("minutes", -1),
        ("pooling", "max"),
        ("text", "onnx:folder"),
        ("picture", "hf:"),
    ],
)
def test_wrong_values_are_named(name, value):
    with pytest.raises(RecipeError, match=name):
        FinetuneSettings(**{"text": "hf:base", name: value})


def test_without_a_base_there_is_nothing_to_do():
    with pytest.raises(RecipeError, match="base model"):
        FinetuneSettings()


def test_modality_follows_from_the_bases():
    assert FinetuneSettings(text="hf:a").modality == "text"
    assert FinetuneSettings(picture="hf:a").modality == "picture"
    assert FinetuneSettings(text="hf:a", picture="hf:b").modality == "joint"


def test_digest_is_of_what_changes_the_result():
    plain = FinetuneSettings(text="hf:a").digest()

    assert FinetuneSettings(text="hf:a", threads=7, checkpoint_steps=3, device="cpu").digest() == plain
    assert FinetuneSettings(text="hf:a", seed=1).digest() != plain
    assert FinetuneSettings(text="hf:a", lora_targets=("query",)).digest() != plain
