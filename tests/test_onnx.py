"""`onnx:` encoders: right vectors, the same in any batch; folders that do not fit together are refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from shelfwise.errors import EncoderError
from shelfwise.features.encoders import EncoderOptions, open_image_encoder, open_text_encoder
from tiny_encoders import PICTURES, onnx_pictures, onnx_texts, picture, write_tokenizer


def test_text_is_the_mean_of_its_tokens(tmp_path):
    encoder = open_text_encoder(f"onnx:{onnx_texts(tmp_path)}")
    first = open_text_encoder(f"onnx:{tmp_path}", EncoderOptions(pooling="cls"))

    both, red, boot = encoder.encode(["red boot", "red", "boot"])

    # [CLS] and [SEP] are in all three, so the sum of the last two has them once more than the first
    cls = first.encode(["red"])[0]
    ends = encoder.encode([""])[0] * 2
    assert encoder.width == 6
    assert np.allclose(4 * both, 3 * red + 3 * boot - ends, atol=1e-5)
    assert np.array_equal(cls, first.encode(["boot"])[0])
    assert not np.allclose(cls, red)


def test_long_texts_are_cut_at_the_model_s_limit(tmp_path):
    encoder = open_text_encoder(f"onnx:{onnx_texts(tmp_path)}")

    tokens = encoder.prepare(["red " * 1000, "red"])

    assert [len(item) for item in tokens] == [12, 3]  # model_max_length of tokenizer_config.json


def test_pooling_of_the_folder_is_followed_and_an_unknown_one_refused(tmp_path):
    onnx_texts(tmp_path)
    (tmp_path / "1_Pooling").mkdir()
    config = tmp_path / "1_Pooling" / "config.json"
    config.write_text(json.dumps({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}))
    told = open_text_encoder(f"onnx:{tmp_path}")
    asked = open_text_encoder(f"onnx:{tmp_path}", EncoderOptions(pooling="cls"))
    assert np.array_equal(told.encode(["red boot"]), asked.encode(["red boot"]))

    config.write_text(json.dumps({"pooling_mode_max_tokens": True}))
    with pytest.raises(EncoderError, match=f"pooling_mode_max_tokens.*st:{tmp_path}"):
        open_text_encoder(f"onnx:{tmp_path}")


def test_pictures_are_the_same_in_any_batch_and_none_is_zeros(tmp_path):
    encoder = open_image_encoder(f"onnx:{onnx_pictures(tmp_path)}", EncoderOptions(batch=4))
    images = [picture(seed, (5 + seed, 9)) for seed in range(9)]

    whole = encoder.encode([*images, None])

    assert whole.shape == (10, 5)
    assert not whole[-1].any()
    assert np.array_equal(whole[:9], np.concatenate([encoder.encode([image]) for image in images]))


def test_one_row_models_and_any_size_models_work(tmp_path):
    fixed = open_image_encoder(f"onnx:{onnx_pictures(tmp_path / 'a', batch=1)}")
    free = open_image_encoder(f"onnx:{onnx_pictures(tmp_path / 'b', side='s')}")
    images = [picture(seed) for seed in range(3)]

    assert fixed.batch == 1
    assert np.array_equal(fixed.encode(images), free.encode(images))
    with pytest.raises(EncoderError, match="exactly 7 rows"):
        open_image_encoder(f"onnx:{onnx_pictures(tmp_path / 'c', batch=7)}")


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(EncoderError, match="does not exist"):
        open_image_encoder(f"onnx:{tmp_path / 'nowhere'}")
    folder = onnx_pictures(tmp_path / "i")
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(EncoderError, match=r"has no preprocessor_config.json"):
        open_image_encoder(f"onnx:{folder}")
    with pytest.raises(EncoderError, match=r"has no tokenizer.json"):
        open_text_encoder(f"onnx:{folder}")
    (folder / "model.onnx").unlink()
    (folder / "preprocessor_config.json").write_text(json.dumps(PICTURES))
    with pytest.raises(EncoderError, match=r"has no model.onnx"):
        open_image_encoder(f"onnx:{folder}")


@pytest.mark.parametrize("content", ["", "[]", "{", '{"size": "large"}', '{"size": {"height": 8}}'])
def test_a_broken_configuration_is_named(tmp_path, content):
    folder = onnx_pictures(tmp_path)
    (folder / "preprocessor_config.json").write_text(content)

    with pytest.raises(EncoderError, match=r"preprocessor_config.json"):
        open_image_encoder(f"onnx:{folder}")


def test_files_that_do_not_fit_together_are_refused(tmp_path):
    folder = onnx_pictures(tmp_path / "i")
    (folder / "preprocessor_config.json").write_text(json.dumps(PICTURES | {"size": 16}))
    with pytest.raises(EncoderError, match=r"pictures of \[3, 16, 16\].*takes \[3, 8, 8\]"):
        open_image_encoder(f"onnx:{folder}")

    write_tokenizer(folder)
    with pytest.raises(EncoderError, match="no encoder of texts: it takes image"):
        open_text_encoder(f"onnx:{folder}")

    texts = onnx_texts(tmp_path / "t")
    (texts / "preprocessor_config.json").write_text(json.dumps(PICTURES))
    with pytest.raises(EncoderError, match="no encoder of pictures: it takes input_ids"):
        open_image_encoder(f"onnx:{texts}")

    more = onnx_texts(tmp_path / "m")
    write_tokenizer(more, [f"word{i}" for i in range(100)])  # more words than the model has rows for
    open_text_encoder(f"onnx:{more}")  # shows only when such a word comes
    with pytest.raises(Exception, match="indices element out of data bounds"):
        open_text_encoder(f"onnx:{more}").encode(["word99"])


def test_a_file_that_is_no_model_is_named(tmp_path):
    folder = onnx_pictures(tmp_path)
    (folder / "model.onnx").write_bytes(b"not a model")

    with pytest.raises(EncoderError, match=r"model.onnx cannot be loaded"):
        open_image_encoder(f"onnx:{folder}")


def test_cuda_that_is_not_there_is_said(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("there is one")

    with pytest.raises(EncoderError, match="onnxruntime-gpu"):
        open_image_encoder(f"onnx:{onnx_pictures(tmp_path)}", EncoderOptions(device="cuda"))
