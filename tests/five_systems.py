"""Small catalogues in the very formats that users bring, and encoders of a few thousand numbers for them.

A word of a product's text names its category, in one of many ways; only an encoder knows that they mean the
same; its picture has the category's colour, nine times in ten.
"""

from __future__ import annotations

import colorsys
import json
import random
from pathlib import Path

import numpy as np
import polars as pl

from tiny_encoders import write_tokenizer

GOODS = [
    "boots", "sandals", "sneakers", "heels", "loafers", "slippers", "trainers", "lamps", "sofas", "knives",
    "drills", "puzzles", "novels", "guitars", "bottles", "tents", "skates", "rackets", "helmets", "gloves",
]  # fmt: skip
FILLERS = ["alder", "birch", "cedar", "maple", "rowan", "sorrel", "thyme", "willow", "hazel", "linden"]
SIDE = 16
WAYS = 12


def _meanings() -> dict[str, list[str]]:
    """Words that mean the same, by what they mean; they have no letters in common."""
    rng = random.Random(0)

    def word() -> str:
        return "".join(rng.choice("bdfgklmnprstvz") + rng.choice("aeiou") for _ in range(4))

    return {goods: [goods, *(word() for _ in range(WAYS))] for goods in GOODS}


MEANINGS = _meanings()


def words(rng: random.Random, goods: str, count: int = 6) -> str:
    """A text of fillers with a word that names the category somewhere in it."""
    told = [rng.choice(FILLERS) for _ in range(count)]
    told.insert(rng.randrange(count), rng.choice(MEANINGS.get(goods, [goods])))
    return " ".join(told)


def write_picture(path: Path, kind: int, seed: int) -> None:
    """A JPEG in the colour of a category, with noise."""
    from PIL import Image

    if seed % 10 == 9:
        kind += 1
    colour = np.array(colorsys.hsv_to_rgb(kind * 0.618 % 1, 0.5 + 0.5 * (kind % 2), 0.9)) * 255
    noise = np.random.default_rng(seed).integers(-25, 25, (20, 24, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(colour + noise, 0, 255).astype(np.uint8)).save(path, "JPEG")


# -- the five formats ----------------------------------------------------------------------------------------


def shoe_shop(folder: Path, each: int = 24) -> Path:
    """A: seven kinds of shoes for men and women, one of which has five products; pictures in `images`."""
    rng = random.Random(1)
    rows: list[dict[str, object]] = []
    for kind, goods in enumerate(GOODS[:7]):
        for side, gender in enumerate(("men", "women")):
            for _ in range(5 if (kind, side) == (6, 1) else each):
                number = len(rows)
                file = f"{number:05}-{gender}.jpg"
                write_picture(folder / "images" / file, 2 * kind + side, number)
                rows.append(
                    {
                        "product_url": f"https://shop.example/p/{number}",
                        "image_url": f"https://img.shop.example/{file}?width=800",
                        "description": f"{words(rng, goods)} {gender}s",
                        "category": f"{goods} {gender}",
                        "rating": rng.choice([None, 3.5, 4.0, 4.5]),
                        "split": "test" if number % 4 == 3 else "train",
                    }
                )
    pl.DataFrame(rows).write_parquet(folder / "shoes.parquet")
    return folder / "shoes.parquet"


def csv_export(folder: Path, files: int = 14, each: int = 26) -> tuple[Path, Path, Path]:
    """B: a CSV file for each sub-category, with repeats between them; a mapping of 14 to 7; the pictures.

    Half of the pictures were dead links: they are not there.
    """
    rng = random.Random(2)
    known: list[dict[str, str]] = []
    for main in range(files):
        rows = []
        for _ in range(each):
            number = len(known) + len(rows)
            file = f"61x{number:06}L.jpg"
            if number % 2:
                write_picture(folder / "pictures" / file, main // 2, number)
            rows.append(
                {
                    "name": f"{words(rng, GOODS[main], 4)} {number}",
                    "main_category": f"department {GOODS[main]}",
                    "sub_category": f"all {GOODS[main]}",
                    "image": f"https://m.media.example/images/{file}",
                    "discount_price": f"₹{rng.randrange(1, 9)},{rng.randrange(100, 999)}",
                    "actual_price": "" if number % 5 else "₹1,999.00",
                }
            )
        again = rng.sample(known, 3) if known else []
        known += rows
        path = folder / "export" / f"All {GOODS[main]}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        pl.DataFrame(rows + again).write_csv(path)
    merged = pl.DataFrame(
        {
            "from": [f"department {goods}" for goods in GOODS[:files]],
            "to": [f"group {GOODS[i // 2 * 2]}" for i in range(files)],
        }
    )
    merged.write_csv(folder / "seven.csv")
    return folder / "export", folder / "seven.csv", folder / "pictures"


def dump(folder: Path, counts: list[int], part: str = "train", seed: int = 3) -> Path:
    """C and D: a marketplace dump with `counts` products a category, and pictures `images/PART/ID.jpg`."""
    rng = random.Random(seed)
    rows = []
    for kind, count in enumerate(counts):
        goods = GOODS[kind % len(GOODS)]
        maker = "" if kind < len(GOODS) else "mens"
        for _ in range(count):
            number = seed * 100_000 + len(rows)
            told = {
                "title": f"{words(rng, goods, 3)} {maker}",
                "description": f"<p>{words(rng, rng.choice(FILLERS))}</p><br><b>{words(rng, goods)}</b>",
                "attributes": [rng.choice(FILLERS), words(rng, goods, 1)],
                "custom_characteristics": {"material": [rng.choice(FILLERS)]},
                "defined_characteristics": {"colour": [rng.choice(FILLERS)]} if number % 3 else {},
                "filters": {"size": [str(rng.randrange(5))]},
            }
            if number % 7:
                write_picture(folder / "images" / part / f"{number}.jpg", kind, number)
            rows.append(
                {
                    "product_id": number,
                    "category_id": 10_000 + kind,
                    "category_name": f"All goods->Department {kind % 3}->{goods} {maker}",
                    "text_fields": json.dumps(told),
                    "shop_id": kind % 5,
                    "shop_title": f"shop {kind % 5}" if number % 4 else f"shop {rng.randrange(5)}",
                    "rating": round(5 - rng.random() ** 4, 2),
                    "sale": number % 50 == 0,
                }
            )
    table = pl.DataFrame(rows).sample(fraction=1, shuffle=True, seed=seed)
    if part == "test":  # what is to be found out is not there
        table = table.drop("category_id", "category_name")
    table.write_parquet(folder / f"{part}.parquet")
    return folder / f"{part}.parquet"


def feed(path: Path, products: int = 3000, seed: int = 4) -> Path:
    """E: a product feed of title, brand, description and feature, with gaps."""
    rng = random.Random(seed)
    rows = [
        {
            "asin": f"B{seed}{number:07}",
            "title": words(rng, GOODS[number % 8], 3),
            "brand": rng.choice(["", "Acme", "Nork", "Bolt"]),
            "description": "" if number % 3 else words(rng, GOODS[number % 8]),
            "feature": None if number % 4 else words(rng, rng.choice(FILLERS)),
            "main_cat": f"Department of {GOODS[number % 8]}",
        }
        for number in range(products)
    ]
    pl.DataFrame(rows).write_csv(path)
    return path


# -- tiny encoders -------------------------------------------------------------------------------------------


def text_encoder(folder: Path, sentence: bool = False) -> str:
    """A BERT with random weights that knows the generated words; its specification (`hf:` or `st:`)."""
    import torch
    from transformers import BertConfig, BertModel

    vocabulary = [*(word for ways in MEANINGS.values() for word in ways), *FILLERS, "mens", "womens"]
    write_tokenizer(folder, vocabulary)
    limit = json.loads((folder / "tokenizer_config.json").read_text()) | {"model_max_length": 320}
    (folder / "tokenizer_config.json").write_text(json.dumps(limit))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary) + 4,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        max_position_embeddings=320,
    )
    model = BertModel(config)
    with torch.no_grad():  # as if it had been trained on what means the same
        table = model.embeddings.word_embeddings.weight
        table[4 : 4 + len(GOODS) * (WAYS + 1)] = table[4 :: WAYS + 1][: len(GOODS)].repeat_interleave(
            WAYS + 1, 0
        )
        table *= 5
    model.save_pretrained(folder)
    if not sentence:
        return f"hf:{folder}"
    package = "sentence_transformers.models"
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": f"{package}.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": f"{package}.Pooling"},
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 128}))
    (folder / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    return f"st:{folder}"


def picture_encoder(folder: Path, kind: str = "vit") -> str:
    """A ViT, ResNet or BEiT with random weights; its specification."""
    import torch
    from transformers import BeitConfig, BeitModel, ResNetConfig, ResNetModel, ViTConfig, ViTModel

    torch.manual_seed(0)
    layers = {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "image_size": SIDE,
        "patch_size": 8,
    }
    if kind == "vit":
        model = ViTModel(ViTConfig(**layers))
    elif kind == "beit":
        model = BeitModel(BeitConfig(**layers, vocab_size=16))
    else:
        model = ResNetModel(
            ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
        )
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(
        json.dumps(
            {
                "image_processor_type": "ViTImageProcessor",
                "size": {"height": SIDE, "width": SIDE},
                "image_mean": [0.5] * 3,
                "image_std": [0.5] * 3,
                "resample": 2,
            }
        )
    )
    return f"hf:{folder}"
