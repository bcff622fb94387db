"""The folder that a fine-tuning writes: an encoder that `hf:` opens, and the classifier on top of it.

config.json, model.safetensors           the model, adapters merged (a joint one: in text/ and picture/)
tokenizer.json, ...                      or preprocessor_config.json, as in the base model's folder
1_Pooling/config.json, modules.json      how tokens become one vector: `hf:` and `st:` read them
joint.safetensors                        joint models: see `features.joint`
head.safetensors                         weight [classes, width] and bias [classes] of the classifier
shelfwise.json                           what it is, its categories, what it was trained on
training.json                            the report: curves, scores, speed
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shelfwise.errors import EncoderError
from shelfwise.features.joint import FILE as JOINT
from shelfwise.features.preprocessing import CONFIG
from shelfwise.features.transformer import quiet
from shelfwise.finetune.checkpoints import write_tensors
from shelfwise.finetune.network import Network
from shelfwise.finetune.report import FinetuneReport
from shelfwise.finetune.towers import Tower
from shelfwise.unfinished import whole_folder

ABOUT, REPORT, HEAD = "shelfwise.json", "training.json", "head.safetensors"
FORMAT = 1
KIND = "shelfwise fine-tuned encoder"


@dataclass(frozen=True)
class Result:
    """What is written beside the models: what it is, and how it came about."""

    classes: tuple[str, ...]
    temperature: float
    run: Mapping[str, str]
    report: FinetuneReport


def labels_digest(classes: tuple[str, ...]) -> str:
    """SHA-256 of the names of the categories, in order."""
    return hashlib.sha256("\0".join(classes).encode("utf-8", "replace")).hexdigest()


def check_output(output: Path, bases: list[Path]) -> None:
    """Check that a folder may be written to, before hours are spent.

    Raises
    ------
    EncoderError
        There is something else than a fine-tuned encoder, or it is where a base model lies.

    """
    if any(output.resolve() in (base.resolve(), *base.resolve().parents) for base in bases):
        raise EncoderError(f"{output} is, or holds, the base model: give another output folder")
    if not os.path.lexists(output):
        return
    if output.is_dir() and (not any(output.iterdir()) or _about(output) is not None):
        return
    raise EncoderError(
        f"{output} exists and is no fine-tuned encoder; it is left as it is. Give another folder."
    )


def finished(output: Path, run: Mapping[str, str]) -> FinetuneReport | None:
    """The report of a folder, if it is of exactly that training."""
    about = _about(output)
    if about is None or about.get("run") != dict(run):
        return None
    try:
        return FinetuneReport.from_dict(json.loads((output / REPORT).read_bytes()))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _about(folder: Path) -> dict[str, Any] | None:
    try:
        about = json.loads((folder / ABOUT).read_bytes())
    except (OSError, ValueError):
        return None
    return about if isinstance(about, dict) and about.get("kind") == KIND else None


def read_about(folder: Path) -> dict[str, Any]:
    """What shelfwise.json says; EncoderError if the folder is no fine-tuned encoder, or a newer one."""
    about = _about(folder)
    if about is None:
        raise EncoderError(f"{folder} is no fine-tuned encoder: it has no {ABOUT} of one")
    if not isinstance(about.get("format"), int) or about["format"] > FORMAT:
        raise EncoderError(
            f"{folder} is of a newer Shelfwise (format {about.get('format')}): upgrade Shelfwise"
        )
    return about


def write_result(output: Path, network: Network, result: Result) -> None:
    """Write the folder, whole or not at all; a fine-tuned encoder that is there is replaced."""
    output = Path(os.path.abspath(output))
    try:
        with whole_folder(output) as building:
            _fill(building, network, result)
    except OSError as error:
        raise EncoderError(
            f"cannot write the encoder to {output}: {error}. Make room and run it again."
        ) from error


def _fill(folder: Path, network: Network, result: Result) -> None:
    parts, joint = network.module.parts, len(network.towers) > 1
    for side, tower in network.towers.items():
        _write_tower(folder / side if joint else folder, tower)
    if joint:
        write_tensors(folder / JOINT, parts["joint"].state_dict())
    write_tensors(folder / HEAD, parts["head"].state_dict())
    about = {
        "kind": KIND,
        "format": FORMAT,
        "modality": result.report.modality,
        "base": result.report.base,
        "pooling": {side: tower.pooling for side, tower in network.towers.items()},
        "max_tokens": {side: tower.max_tokens for side, tower in network.towers.items() if tower.max_tokens},
        "width": int(parts["head"].weight.shape[1]),
        "classes": list(result.classes),
        "labels": labels_digest(result.classes),
        "temperature": result.temperature,
        "scores": result.report.best.to_dict(),
        "run": dict(result.run),
    }
    _write_json(folder / ABOUT, about)
    _write_json(folder / REPORT, result.report.to_dict())


def _write_tower(folder: Path, tower: Tower) -> None:
    import transformers

    folder.mkdir(exist_ok=True)
    with quiet(transformers):
        tower.merged().requires_grad_(False).save_pretrained(str(folder))
        if tower.modality == "text":
            tower.reader.save_pretrained(str(folder))
    if tower.modality == "picture":
        shutil.copyfile(tower.folder / CONFIG, folder / CONFIG)
        return
    _write_json(
        folder / "sentence_bert_config.json", {"max_seq_length": tower.max_tokens, "do_lower_case": False}
    )
    if tower.pooling == "pooler":
        return
    (folder / "1_Pooling").mkdir()
    mode = {"cls": "pooling_mode_cls_token", "mean": "pooling_mode_mean_tokens"}[tower.pooling]
    others = {"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": False}
    _write_json(
        folder / "1_Pooling" / "config.json", {"word_embedding_dimension": tower.width, **others, mode: True}
    )
    kinds = (("", "Transformer"), ("1_Pooling", "Pooling"))
    _write_json(
        folder / "modules.json",
        [
            {"idx": at, "name": str(at), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for at, (path, kind) in enumerate(kinds)
        ],
    )


def _write_json(path: Path, plain: object) -> None:
    path.write_text(json.dumps(plain, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
