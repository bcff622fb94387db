"""Base models: pooled as `hf:` pools them, and the right part of them unfrozen."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from finetune_bases import FILLERS, KINDS, clip_base, picture_base, picture_of, settings, text_base
from shelfwise.catalogue.pictures import decode
from shelfwise.errors import EncoderError
from shelfwise.features.encoders import EncoderOptions, open_image_encoder, open_text_encoder
from shelfwise.finetune.batches import tokens_of
from shelfwise.finetune.towers import open_tower

torch = pytest.importorskip("torch")

OPTIONS = EncoderOptions(device="cpu", threads=1, max_tokens=8)
MAKERS = {"text": text_base, "picture": picture_base, "clip": clip_base}
TEXTS = [f"{kind} {filler}" for kind in KINDS for filler in FILLERS[:2]] + ["boot", "birch " * 30]


def unfrozen(tower):
    return {name for name, one in tower.model.named_parameters() if one.requires_grad}


@pytest.mark.parametrize("base", ["text", "clip"])
def test_text_vectors_are_those_of_hf(tmp_path, base):
    spec = MAKERS[base](tmp_path / "base")
    tower = open_tower("text", settings(text=spec))
    expected = open_text_encoder(spec, OPTIONS).encode(TEXTS)
    with torch.inference_mode():
        found = tower.vectors(tokens_of(tower, TEXTS)).numpy()

    assert tower.width == expected.shape[1]
    assert np.abs(found - expected).max() < 1e-5


@pytest.mark.parametrize("base", ["picture", "clip"])
def test_picture_vectors_are_those_of_hf(tmp_path, base):
    spec = MAKERS[base](tmp_path / "base")
    tower = open_tower("picture", settings(picture=spec))
    images = [decode(picture_of(kind, kind).read()) for kind in range(3)]
    expected = open_image_encoder(spec, OPTIONS).encode(images)
    planes = tower.reader.planes([tower.reader.pixels(image) for image in images])
    with torch.inference_mode():
        found = tower.vectors({"pixel_values": torch.from_numpy(planes)}).numpy()

    assert np.abs(found - expected).max() < 1e-5


def test_frozen_trains_nothing(tmp_path):
    tower = open_tower("text", settings(text=text_base(tmp_path), train="frozen"))

    assert unfrozen(tower) == set()


def test_full_leaves_out_what_has_no_say(tmp_path):
    tower = open_tower("text", settings(text=text_base(tmp_path), train="full"))

    assert unfrozen(tower) == {
        name for name, _ in tower.model.named_parameters() if not name.startswith("pooler.")
    }


def test_last_layers_and_what_follows(tmp_path):
    tower = open_tower("picture", settings(picture=picture_base(tmp_path), train="last", last_layers=1))

    assert any(".1." in name for name in unfrozen(tower))
    assert any("layernorm" in name and ".1." not in name for name in unfrozen(tower))
    assert not any(".0." in name or "embeddings" in name for name in unfrozen(tower))


def test_only_one_side_of_clip_is_trained(tmp_path):
    spec = clip_base(tmp_path)
    text = unfrozen(open_tower("text", settings(text=spec)))
    picture = unfrozen(open_tower("picture", settings(picture=spec)))

    assert {name.split(".")[0] for name in text} == {"text_model", "text_projection"}
    assert {name.split(".")[0] for name in picture} == {"vision_model", "visual_projection"}


def test_adapters_change_nothing_at_first_and_merge(tmp_path):
    spec = text_base(tmp_path)
    tower = open_tower("text", settings(text=spec, train="lora", lora_rank=2, lora_targets=("query",)))
    expected = open_text_encoder(spec, OPTIONS).encode(TEXTS)
    names = unfrozen(tower)
    tower.model.eval()
    with torch.inference_mode():
        before = tower.vectors(tokens_of(tower, TEXTS)).numpy()

    assert names
    assert all("query.lora_" in name for name in names)
    assert np.abs(before - expected).max() < 1e-5
    with torch.no_grad():
        for _, one in tower.model.named_parameters():
            if one.requires_grad:
                one.add_(0.3)
        changed = tower.vectors(tokens_of(tower, TEXTS)).numpy()
        tower.merged()
        merged = tower.vectors(tokens_of(tower, TEXTS)).numpy()

    assert np.abs(changed - before).max() > 1e-4
    assert np.abs(merged - changed).max() < 1e-5
    assert not any("lora" in name for name in tower.model.state_dict())


def test_wrong_targets_name_the_right_ones(tmp_path):
    with pytest.raises(EncoderError, match="query, key, value"):
        open_tower("text", settings(text=text_base(tmp_path), train="lora", lora_targets=("q_proj",)))


def test_made_up_pooling_layer_is_not_used(tmp_path):
    from safetensors.torch import load_file, save_file

    spec = text_base(tmp_path)
    path = tmp_path / "model.safetensors"
    kept = {name: one for name, one in load_file(str(path)).items() if "pooler" not in name}
    save_file(kept, str(path), {"format": "pt"})

    assert not any(
        "pooler" in name for name, _ in open_tower("text", settings(text=spec)).model.named_parameters()
    )
    del kept["encoder.layer.0.output.dense.weight"]
    save_file(kept, str(path), {"format": "pt"})
    with pytest.raises(EncoderError, match=r"encoder\.layer\.0\.output"):
        open_tower("text", settings(text=spec))


def test_what_is_no_base_is_an_error(tmp_path: Path):
    with pytest.raises(EncoderError, match="does not exist"):
        open_tower("text", settings(text=f"hf:{tmp_path / 'none'}"))
    spec = picture_base(tmp_path / "picture")
    with pytest.raises(EncoderError):
        open_tower("text", settings(text=spec))
    (tmp_path / "picture" / "preprocessor_config.json").write_text(json.dumps({"do_magic": True}))
    with pytest.raises(EncoderError, match="do_magic"):
        open_tower("picture", settings(picture=spec))
