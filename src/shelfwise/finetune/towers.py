"""A base model of transformers as something to train: loaded, pooled, and with the right part of it unfrozen.

The vector of a text or picture is, to the last rounding, the one that `hf:` gives for the same folder, so
that what is learned here is what every other command sees.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shelfwise.errors import EncoderError, MissingExtraError
from shelfwise.features import tokens
from shelfwise.features.encoder_folder import files_of, fingerprint, read_json
from shelfwise.features.hub import model_folder
from shelfwise.features.pooling import configured
from shelfwise.features.preprocessing import CONFIG, Preprocessing
from shelfwise.features.transformer import quiet
from shelfwise.finetune.settings import FinetuneSettings

_OTHER_SIDE = {"text": ("vis", "image"), "picture": ("text",)}
_OWN_POOLING = ("beit", "data2vec-vision")  # as `hf:` has it
_FILES = ("config.json", "*.safetensors", "*.safetensors.index.json", CONFIG, "1_Pooling/config.json")


@dataclass
class Tower:
    """A base model for one modality.

    Attributes
    ----------
    modality: "text" or "picture". spec: where it came from. folder: its files.
    model: the model of transformers. adapters: its LoRA wrapping, None without.
    pooling: "mean", "cls" or "pooler". width: length of a vector.
    reader: the tokenizer of texts or the preprocessing of pictures.
    max_tokens: tokens of a text that are read (0 for pictures). padded: to exactly as many.
    fingerprint: SHA-256 of the base model's files.

    """

    modality: str
    spec: str
    folder: Path
    model: Any
    adapters: Any
    pooling: str
    width: int
    reader: Any
    max_tokens: int
    padded: bool
    fingerprint: str

    def vectors(self, given: dict[str, Any]) -> Any:  # noqa: ANN401 - torch.Tensor
        """Vectors float [rows, width] of a batch of token ids or pixels."""
        if self.pooling == "pooler":
            name = "get_text_features" if self.modality == "text" else "get_image_features"
            if hasattr(self.model, name):
                found = getattr(self.model, name)(**given)
                return getattr(found, "pooler_output", found)
            return self.model(**given).pooler_output.flatten(1)
        part = getattr(self.model, "text_model" if self.modality == "text" else "vision_model", self.model)
        return _pooled(part(**given).last_hidden_state, given.get("attention_mask"), self.pooling)

    def names(self) -> list[str]:
        """The inputs that the model takes."""
        if self.modality == "picture":
            return ["pixel_values"]
        if self.model.config.model_type.startswith("siglip"):
            return ["input_ids"]
        typed = int(getattr(self.model.config, "type_vocab_size", 0) or 0) > 1
        return ["input_ids", "attention_mask"] + (["token_type_ids"] if typed else [])

    def merged(self) -> Any:  # noqa: ANN401 - transformers.PreTrainedModel
        """The model with its adapters, if any, merged into the weights."""
        if self.adapters is not None:
            self.model, self.adapters = self.adapters.merge_and_unload(), None
        return self.model


def _pooled(found: Any, mask: Any, pooling: str) -> Any:  # noqa: ANN401 - torch.Tensor
    if found.ndim == 4:
        return found.mean(dim=(2, 3))
    if found.ndim != 3:
        return found
    if pooling == "cls":
        return found[:, 0]
    if mask is None:
        return found.mean(dim=1)
    weights = mask.to(found.dtype)[:, :, None]
    return (found * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)


def open_tower(modality: str, settings: FinetuneSettings) -> Tower:
    """Load a base model and unfreeze what `settings.train` says.

    Raises
    ------
    EncoderError
        It cannot be loaded, is not for that modality, or has no part of the kind that is to be trained.
    MissingExtraError
        transformers or, for LoRA, peft is not installed.

    """
    spec = settings.text if modality == "text" else settings.picture
    folder = model_folder(spec, spec.removeprefix("hf:"))
    config = read_json(folder / "config.json", spec)
    model, complete = _loaded(spec, folder)
    pooling = _pooling(modality, folder, spec, settings.pooling, (config, model, complete))
    most, padded = (
        tokens.limits(folder, spec, config, settings.max_tokens) if modality == "text" else (0, False)
    )
    reader = _tokenizer(folder, spec) if modality == "text" else _preprocessing(folder, spec)
    mark = fingerprint(folder, files_of(folder, (*_FILES, *tokens.FILES)), {})
    tower = Tower(modality, spec, folder, model, None, pooling, 0, reader, most, padded, mark)
    tower.width = _width(tower)
    with _peft_warnings():
        _unfreeze(tower, settings)
    return tower


def _loaded(spec: str, folder: Path) -> tuple[Any, bool]:
    """The model in single precision and frozen, and whether its pooling layer has weights."""
    try:
        import torch
        import transformers
    except ImportError:
        raise MissingExtraError(f"fine-tuning {spec}", "finetune") from None
    with quiet(transformers):
        try:
            model, told = transformers.AutoModel.from_pretrained(
                str(folder),
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                output_loading_info=True,
            )
        except Exception as error:  # transformers raises what its parts raise
            said = str(error).strip()[:400]
            raise EncoderError(f"{spec}: the model in {folder} cannot be loaded: {said}") from error
    missing = sorted(str(key) for key in told["missing_keys"])
    if other := [key for key in missing if "pooler" not in key]:
        raise EncoderError(
            f"{spec}: the weights in {folder} are not those of its config.json: {len(other)} are missing, "
            f"such as {other[0]}"
        )
    if missing and getattr(model, "pooler", None) is not None:
        model.pooler = None  # its weights are made up, and would be saved as if they were not
    return model.to(torch.float32).requires_grad_(False), not missing


def _pooling(
    modality: str, folder: Path, spec: str, asked: str, known: tuple[dict[str, Any], Any, bool]
) -> str:
    """How `hf:` makes one vector of what this model gives."""
    config, model, complete = known
    if modality == "text":
        by_folder = configured(folder, spec, asked)
        return by_folder or ("pooler" if hasattr(model, "get_text_features") else "mean")
    if hasattr(model, "get_image_features"):
        return "pooler"
    convolutional = not {"num_attention_heads", "num_heads"} & set(config)
    kind = str(config.get("model_type", ""))
    return "pooler" if complete and (convolutional or kind in _OWN_POOLING) else "cls"


def _tokenizer(folder: Path, spec: str) -> Any:  # noqa: ANN401 - transformers' tokenizer
    import transformers

    with quiet(transformers):
        try:
            return transformers.AutoTokenizer.from_pretrained(
                str(folder), local_files_only=True, trust_remote_code=False
            )
        except Exception as error:
            said = str(error).strip()[:300]
            raise EncoderError(f"{spec}: the tokenizer in {folder} cannot be loaded: {said}") from error


def _preprocessing(folder: Path, spec: str) -> Preprocessing:
    return Preprocessing.from_config(read_json(folder / CONFIG, spec), spec)


def _width(tower: Tower) -> int:
    """Length of a vector, by making one."""
    import torch

    if tower.modality == "text":
        length = tower.max_tokens if tower.padded else 2
        given = {name: torch.ones(1, length, dtype=torch.long) for name in tower.names()}
        if "token_type_ids" in given:
            given["token_type_ids"] -= 1
    else:
        given = {"pixel_values": torch.zeros(1, 3, *tower.reader.size)}
    tower.model.eval()
    try:
        with torch.inference_mode():
            found = tower.vectors(given)
    except Exception as error:
        raise EncoderError(
            f"{tower.spec}: the model cannot be run on a {tower.modality}: {str(error).strip()[:300]}"
        ) from error
    if found.ndim != 2:
        raise EncoderError(f"{tower.spec}: the model gives an array {list(found.shape)}, no vector")
    return int(found.shape[1])


def _unfreeze(tower: Tower, settings: FinetuneSettings) -> None:
    if settings.train == "frozen":
        return
    if settings.train == "lora":
        _add_adapters(tower, settings)
        return
    active = [(name, weights) for name, weights in tower.model.named_parameters() if _is_active(tower, name)]
    if settings.train == "last":
        active = _after(tower, active, settings.last_layers)
    for _, weights in active:
        weights.requires_grad_(True)


def _is_active(tower: Tower, name: str) -> bool:
    """Whether a weight has a say in the vectors: of models for both modalities, only one side has."""
    if not hasattr(tower.model, "get_text_features"):
        return tower.pooling == "pooler" or not name.startswith("pooler.")
    return not name.startswith((*_OTHER_SIDE[tower.modality], "logit_"))


def _after(tower: Tower, active: list[tuple[str, Any]], layers: int) -> list[tuple[str, Any]]:
    """The weights of the last layers, and all that come after them."""
    import torch

    stacks = [
        (name.count("."), -len(module), name)
        for name, module in tower.model.named_modules()
        if isinstance(module, torch.nn.ModuleList) and len(module) > 1 and _is_active(tower, name)
    ]
    if not stacks:
        raise EncoderError(f"{tower.spec}: the model has no stack of layers; train it with full or lora")
    _, size, stack = min(stacks)
    first = max(-size - layers, 0)
    names = [name for name, _ in active]
    inside = [at for at, name in enumerate(names) if name.startswith(f"{stack}.")]
    kept = [at for at in inside if int(names[at][len(stack) + 1 :].split(".")[0]) >= first]
    return [active[at] for at in (*kept, *range(inside[-1] + 1, len(active)))]


def _add_adapters(tower: Tower, settings: FinetuneSettings) -> None:
    import torch

    try:
        import peft
    except ImportError:
        raise MissingExtraError("LoRA", "finetune") from None
    linear = [
        name
        for name, module in tower.model.named_modules()
        if isinstance(module, torch.nn.Linear) and _is_active(tower, name)
    ]
    wanted = settings.lora_targets
    targets = [name for name in linear if not wanted or name.endswith(wanted)]
    if not targets:
        some = ", ".join(dict.fromkeys(name.rsplit(".", 1)[-1] for name in linear)) or "none"
        raise EncoderError(
            f"{tower.spec}: no linear layer is called {' or '.join(wanted) or 'anything'}; there are: "
            f"{some}. Change lora_targets, or train with last or full"
        )
    config = peft.LoraConfig(
        r=settings.lora_rank, lora_alpha=settings.lora_alpha, lora_dropout=0.05, target_modules=targets
    )
    tower.adapters = peft.get_peft_model(tower.model, config)


@contextlib.contextmanager
def _peft_warnings() -> Iterator[None]:
    """Without peft's remarks about configurations that were never on the hub."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="peft")
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing`", category=FutureWarning)
        yield
