"""Base models with random weights, a few thousand numbers each, and lessons that they can learn."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest

from shelfwise.catalogue.pictures import Picture
from shelfwise.finetune import FinetuneSettings, Lesson

for name in ("torch", "transformers", "peft", "accelerate", "pytorch_metric_learning"):
    pytest.importorskip(name)

KINDS = ("boot", "sandal", "watch")
FILLERS = ("alder", "birch", "cedar", "maple", "rowan")
SHADES = ((200, 40, 40), (40, 200, 40), (40, 40, 200))
SIZE = 16


def text_base(folder: Path) -> str:
    """A BERT of two layers; its specification."""
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=20,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
    )
    BertModel(config).save_pretrained(str(folder))
    _tokenizer(folder)
    return f"hf:{folder}"


def picture_base(folder: Path) -> str:
    """A ViT of two layers; its specification."""
    import torch
    from transformers import ViTConfig, ViTModel

    torch.manual_seed(2)
    ViTModel(ViTConfig(**_vision())).save_pretrained(str(folder))
    _preprocessor(folder)
    return f"hf:{folder}"


def clip_base(folder: Path) -> str:
    """A CLIP of two layers a side; its specification, for texts and for pictures."""
    import torch
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(3)
    text = {
        "vocab_size": 20,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 32,
        "bos_token_id": 2,
        "eos_token_id": 3,
        "pad_token_id": 0,
    }
    CLIPModel(CLIPConfig(text_config=text, vision_config=_vision(), projection_dim=8)).save_pretrained(
        str(folder)
    )
    _tokenizer(folder)
    _preprocessor(folder)
    return f"hf:{folder}"


def _vision() -> dict:
    return {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "image_size": SIZE,
        "patch_size": 8,
    }


def _tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *KINDS, *FILLERS, "old", "new"]
    made = Tokenizer(models.WordLevel({word: at for at, word in enumerate(words)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=made, **names).save_pretrained(str(folder))


def _preprocessor(folder: Path) -> None:
    config = {
        "image_processor_type": "ViTImageProcessor",
        "size": {"height": SIZE, "width": SIZE},
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
        "resample": 2,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(config))


def picture_of(kind: int, seed: int) -> Picture:
    """A PNG in the shade of a category, with noise."""
    from PIL import Image

    noise = np.random.default_rng(seed).integers(-30, 30, (20, 24, 3))
    pixels = np.clip(np.array(SHADES[kind]) + noise, 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return Picture(f"P{seed}", data=file.getvalue())


def lesson(rows: int = 60, *, texts: bool = True, pictures: bool = False) -> Lesson:
    """Products of three categories: one word of the text, or the shade of the picture, names it."""
    y = (np.arange(rows) % 3).astype(np.int32)
    words = [f"{FILLERS[i % 5]} {KINDS[i % 3]} {FILLERS[i * 3 % 5]}" for i in range(rows)]
    shown = [picture_of(i % 3, i) for i in range(rows)] if pictures else None
    return Lesson(y, KINDS, words if texts else None, shown, np.arange(rows, dtype=np.int64))


def settings(**given: object) -> FinetuneSettings:
    """Settings for models this small."""
    plain = {
        "epochs": 3,
        "batch": 8,
        "learning_rate": 5e-3,
        "head_learning_rate": 2e-2,
        "patience": 0,
        "max_tokens": 8,
        "threads": 1,
        "device": "cpu",
        "validation": 0.2,
    }
    return FinetuneSettings(**{**plain, **given})
