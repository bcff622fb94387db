"""`hf:` encoders: every family opens, vectors do not depend on the batch, and made-up layers are not used."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

from shelfwise.errors import EncoderError
from shelfwise.features.encoders import EncoderOptions, open_image_encoder, open_text_encoder
from tiny_encoders import PICTURES, bert, picture, write_tokenizer

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SIDES = {"image_size": 16, "patch_size": 8, "hidden_size": 16, "num_hidden_layers": 1}
LAYER = SIDES | {"num_attention_heads": 2, "intermediate_size": 24}
TEXT = {
    "vocab_size": 12,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 10,
    "bos_token_id": 2,
    "eos_token_id": 3,
    "pad_token_id": 0,
}
FAMILIES = {
    "ViT": (LAYER, 16),
    "Beit": (LAYER, 16),
    "ResNet": ({"embedding_size": 8, "hidden_sizes": [8, 12], "depths": [1, 1], "layer_type": "basic"}, 12),
    "ConvNext": ({"hidden_sizes": [8, 8, 8, 12], "depths": [1, 1, 1, 1]}, 12),
    "MobileNetV2": ({"depth_multiplier": 0.1}, None),
    "EfficientNet": (
        {"width_coefficient": 0.1, "depth_coefficient": 0.1, "hidden_dim": 128, "initializer_range": 1.0},
        128,
    ),
}


def write_model(folder, model, side=16):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save_pretrained(folder)
    size = {"height": side, "width": side}
    (folder / "preprocessor_config.json").write_text(json.dumps(PICTURES | {"size": size}))
    return folder


def made(kind, settings):
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        config = getattr(transformers, f"{kind}Config")(**settings)
        return getattr(transformers, f"{kind}Model")(config)


def two_towers(kind):
    vision = {"vision_config": LAYER, "text_config": TEXT}
    return made(kind, vision | ({"projection_dim": 14} if kind == "CLIP" else {}))


@pytest.mark.parametrize("kind", FAMILIES)
def test_picture_families(tmp_path, kind):
    settings, width = FAMILIES[kind]
    write_model(tmp_path, made(kind, settings), 16 if kind in ("ViT", "Beit") else 32)
    encoder = open_image_encoder(f"hf:{tmp_path}", EncoderOptions(device="cpu"))
    images = [picture(seed) for seed in range(6)]

    whole = encoder.encode([*images, None])

    assert whole.shape == (7, width or encoder.width)
    assert np.isfinite(whole).all()
    assert not whole[6].any()
    assert len(np.unique(whole, axis=0)) > 1
    assert np.array_equal(whole[4:5], encoder.encode(images[4:5]))


@pytest.mark.parametrize(("kind", "width"), [("CLIP", 14), ("Siglip", 16)])
def test_two_towers_open_as_texts_and_as_pictures(tmp_path, kind, width):
    write_model(tmp_path, two_towers(kind))
    write_tokenizer(tmp_path)
    options = EncoderOptions(device="cpu")

    texts = open_text_encoder(f"hf:{tmp_path}", options)
    images = open_image_encoder(f"hf:{tmp_path}", options)
    means = open_image_encoder(f"hf:{tmp_path}", EncoderOptions(device="cpu", pooling="mean"))

    got = texts.encode(["red boot", "blue", "red boot"])
    assert texts.width == images.width == width
    assert np.array_equal(got[0], got[2])
    assert not np.allclose(got[0], got[1])
    assert np.array_equal(got[1:2], texts.encode(["blue"]))
    assert images.encode([picture(1)]).shape == (1, width)
    assert means.width == 16
    assert len({texts.fingerprint, images.fingerprint, means.fingerprint}) == 3


def test_texts_are_pooled_as_asked_and_alone_as_among_others(tmp_path):
    spec = f"hf:{bert(tmp_path)}"
    mean, cls, pooler = (
        open_text_encoder(spec, EncoderOptions(pooling=pooling, device="cpu"))
        for pooling in ("mean", "cls", "pooler")
    )
    texts = ["boot", "red boot", "blue steel watch", "lamp", "wool " * 8]

    tokens = mean.prepare(texts[1:2])
    with torch.inference_mode():
        given = torch.from_numpy(tokens[0].ids)[None]
        hidden = mean.module(input_ids=given).last_hidden_state[0].numpy()
    assert np.allclose(mean.encode(texts[1:2])[0], hidden.mean(axis=0), atol=1e-5)
    assert np.allclose(cls.encode(texts[1:2])[0], hidden[0], atol=1e-5)
    for encoder in (mean, cls, pooler):
        whole = encoder.encode(texts)
        assert np.array_equal(whole, np.concatenate([encoder.encode([text]) for text in texts]))
    assert np.array_equal(mean.encode(texts), open_text_encoder(spec).encode(texts))


def test_threads_do_not_change_vectors_and_are_put_back(tmp_path):
    encoder = open_text_encoder(f"hf:{bert(tmp_path)}", EncoderOptions(device="cpu"))
    before = torch.get_num_threads()
    first = encoder.encode(["red boot", "lamp"])
    try:
        torch.set_num_threads(3)
        assert np.array_equal(encoder.encode(["red boot", "lamp"]), first)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_a_pooling_layer_without_weights_is_not_used(tmp_path):
    write_model(tmp_path, made("ViT", LAYER))
    from safetensors.torch import load_file, save_file

    weights = load_file(tmp_path / "model.safetensors")
    kept = {name: array for name, array in weights.items() if "pooler" not in name}
    assert len(kept) < len(weights)
    save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    spec = f"hf:{tmp_path}"

    first, second = (open_image_encoder(spec).encode([picture(1)]) for _ in range(2))

    assert np.array_equal(first, second)
    with pytest.raises(EncoderError, match="no pooling layer"):
        open_image_encoder(spec, EncoderOptions(pooling="pooler"))

    short = {name: array for name, array in kept.items() if "layernorm.weight" not in name}
    save_file(short, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EncoderError, match=r"not those of its config.json: \d+ are missing"):
        open_image_encoder(spec)


def test_what_is_missing_or_wrong_is_named(tmp_path):
    with pytest.raises(EncoderError, match=r"has no config.json"):
        open_text_encoder(f"hf:{tmp_path}")
    bert(tmp_path)
    with pytest.raises(EncoderError, match=r"has no preprocessor_config.json"):
        open_image_encoder(f"hf:{tmp_path}")
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(EncoderError, match=r"tokenizer.json cannot be read"):
        open_text_encoder(f"hf:{tmp_path}")
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"hidden_size": 64}))
    with pytest.raises(EncoderError, match=r"cannot be loaded|are missing"):
        open_text_encoder(f"hf:{tmp_path}")
    (tmp_path / "config.json").write_text(json.dumps(config | {"model_type": "no-such-model"}))
    with pytest.raises(EncoderError, match="cannot be loaded"):
        open_text_encoder(f"hf:{tmp_path}")


def test_a_pickle_is_not_opened(tmp_path):
    bert(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")

    with pytest.raises(EncoderError, match="only weights in another form"):
        open_text_encoder(f"hf:{tmp_path}")


def test_code_in_a_model_s_folder_is_not_run(tmp_path):
    bert(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoModel": "mine.Mine", "AutoConfig": "mine.Config"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "mine.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")

    with pytest.raises(EncoderError):
        open_text_encoder(f"hf:{tmp_path}")

    assert not (tmp_path / "ran").exists()


def test_half_precision_is_close_and_told_apart_when_asked_for(tmp_path):
    spec = f"hf:{bert(tmp_path)}"
    whole = open_text_encoder(spec, EncoderOptions(device="cpu"))
    half = open_text_encoder(spec, EncoderOptions(device="cpu", half="on"))

    first, second = whole.encode(["red boot"]), half.encode(["red boot"])

    assert not np.array_equal(first, second)
    assert np.abs(first - second).max() < 0.05
    assert whole.fingerprint != half.fingerprint
    assert open_text_encoder(spec, EncoderOptions(device="cpu", half="off")).fingerprint == whole.fingerprint


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is one")
def test_a_device_that_is_not_there_is_said(tmp_path):
    with pytest.raises(EncoderError, match="device 'cuda' cannot be used"):
        open_text_encoder(f"hf:{bert(tmp_path)}", EncoderOptions(device="cuda"))
