"""Encoders with a handful of weights, made by the tests that open them."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np

WORDS = ["red", "blue", "boot", "shoe", "watch", "lamp", "steel", "wool"]
PICTURES = {
    "do_resize": True,
    "size": {"height": 8, "width": 8},
    "resample": 2,
    "do_rescale": True,
    "do_normalize": True,
    "image_mean": [0.5, 0.4, 0.3],
    "image_std": [0.5, 0.6, 0.7],
}


def write_tokenizer(folder: Path, words: list[str] = WORDS) -> None:
    """A tokenizer that knows a few words and puts [CLS] and [SEP] around them."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    vocabulary = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", None, [("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])]
    )
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(
        json.dumps(
            {"model_max_length": 12, "pad_token": "[PAD]", "tokenizer_class": "PreTrainedTokenizerFast"}
        )
    )


def _save(nodes, inputs, outputs, weights, path: Path) -> None:
    from onnx import TensorProto, helper, numpy_helper, save

    kinds = {np.float32: TensorProto.FLOAT, np.int64: TensorProto.INT64}
    graph = helper.make_graph(
        [helper.make_node(kind, given, made, **options) for kind, given, made, options in nodes],
        "tiny",
        [helper.make_tensor_value_info(name, kinds[kind], shape) for name, kind, shape in inputs],
        [helper.make_tensor_value_info(name, kinds[kind], shape) for name, kind, shape in outputs],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    save(model, str(path))


def onnx_pictures(folder: Path, width: int = 5, side: int | str = 8, seed: int = 0, batch="n") -> Path:
    """A folder for `onnx:` with a convolution, its mean over the picture, and a matrix product."""
    rng = np.random.default_rng(seed)
    weights = {
        "kernel": rng.standard_normal((4, 3, 3, 3)).astype(np.float32),
        "matrix": rng.standard_normal((4, width)).astype(np.float32),
    }
    nodes = [
        ("Conv", ["image", "kernel"], ["planes"], {"pads": [1, 1, 1, 1]}),
        ("Relu", ["planes"], ["positive"], {}),
        ("GlobalAveragePool", ["positive"], ["pooled"], {}),
        ("Flatten", ["pooled"], ["flat"], {"axis": 1}),
        ("MatMul", ["flat", "matrix"], ["features"], {}),
    ]
    _save(
        nodes,
        [("image", np.float32, [batch, 3, side, side])],
        [("features", np.float32, [batch, width])],
        weights,
        folder / "model.onnx",
    )
    (folder / "preprocessor_config.json").write_text(json.dumps(PICTURES))
    return folder


def onnx_texts(folder: Path, width: int = 6, seed: int = 0) -> Path:
    """A folder for `onnx:` whose tokens' vectors are a table's rows through one matrix."""
    rng = np.random.default_rng(seed)
    write_tokenizer(folder)
    weights = {
        "table": rng.standard_normal((len(WORDS) + 4, width)).astype(np.float32),
        "matrix": rng.standard_normal((width, width)).astype(np.float32),
    }
    nodes = [
        ("Gather", ["table", "input_ids"], ["looked_up"], {"axis": 0}),
        ("MatMul", ["looked_up", "matrix"], ["last_hidden_state"], {}),
        ("Identity", ["attention_mask"], ["mask_as_it_was"], {}),
    ]
    inputs = [(name, np.int64, ["n", "t"]) for name in ("input_ids", "attention_mask")]
    outputs = [
        ("last_hidden_state", np.float32, ["n", "t", width]),
        ("mask_as_it_was", np.int64, ["n", "t"]),
    ]
    _save(nodes, inputs, outputs, weights, folder / "model.onnx")
    return folder


def picture(seed: int, size: tuple[int, int] = (13, 9)):
    """A picture of noise with some structure."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (4, 4, 3), np.uint8))
    return small.resize(size, Image.Resampling.BICUBIC)


def picture_bytes(seed: int, size: tuple[int, int] = (13, 9)) -> bytes:
    """The same as a PNG file."""
    import io

    file = io.BytesIO()
    picture(seed, size).save(file, "PNG")
    return file.getvalue()


def bert(folder: Path, seed: int = 0, **changes) -> Path:
    """A folder for `hf:` with one layer of BERT."""
    import torch
    from transformers import BertConfig, BertModel

    settings = {
        "vocab_size": len(WORDS) + 4,
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 48,
        "max_position_embeddings": 16,
    }
    write_tokenizer(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(seed)
        BertModel(BertConfig(**settings | changes)).save_pretrained(folder)
    return folder
