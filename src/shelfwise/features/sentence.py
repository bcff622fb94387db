"""`st:` encoders: models of sentence-transformers, with the pooling and further layers of their folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.errors import EncoderError, MissingExtraError, RecipeError
from shelfwise.features.batching import BatchedEncoder
from shelfwise.features.encoder_folder import files_of, fingerprint
from shelfwise.features.encoders import EncoderOptions
from shelfwise.features.hub import model_folder
from shelfwise.features.torch_device import chosen, fewest_texts, import_torch, one_thread, side_by_side
from shelfwise.features.transformer import quiet

_FILES = ("*.json", "*.safetensors", "vocab.*", "merges.txt", "*.model", "*/*.json", "*/*.safetensors")
_CHARACTERS_PER_TOKEN = 64
_ROW_BY_TOKEN = {"Transformer", "Pooling", "Normalize"}  # without matrices that have one row a text


@dataclass(frozen=True)
class _Text:
    """A text and how many tokens it has."""

    text: str
    tokens: int


class SentenceEncoder(BatchedEncoder[str, _Text]):
    """A model of sentence-transformers; `open` makes one."""

    def __init__(self, name: str, model: Any, options: EncoderOptions) -> None:  # noqa: ANN401 - SentenceTransformer
        self.name = name
        self._whole = not {type(layer).__name__ for layer in model} <= _ROW_BY_TOKEN
        self.batch, self.concurrency = side_by_side(model.device, options)
        self.module = self._model = model

    @classmethod
    def open(cls, name: str, options: EncoderOptions) -> SentenceEncoder:
        """Open a folder or a model of the hub; EncoderError where it cannot be loaded or run."""
        spec = f"st:{name}"
        if options.pooling != "auto":
            raise RecipeError(f"{spec} has a pooling of its own; for {options.pooling!r} open it with hf:")
        try:
            import sentence_transformers
            import transformers
        except ImportError:
            raise MissingExtraError(spec, "sentence") from None
        alone = "/" not in name and not Path(name).is_dir()  # its makers' own models go by one word
        folder = model_folder(spec, f"sentence-transformers/{name}" if alone else name)
        _check_folder(folder, spec)
        device, kind = chosen(spec, options)
        with quiet(transformers):
            try:
                model = sentence_transformers.SentenceTransformer(
                    str(folder),
                    device=str(device),
                    local_files_only=True,
                    trust_remote_code=False,
                    model_kwargs={"use_safetensors": True},
                )
                model.to(kind).eval()
                limit = model.max_seq_length
                model.max_seq_length = min(options.max_tokens, limit or options.max_tokens)
                encoder = cls(spec, model, options)
                encoder.folder = folder
                encoder.width = int(encoder.run(encoder.prepare(["a"])).shape[1])
            except Exception as error:  # it raises what its parts raise
                raise EncoderError(
                    f"{spec}: the model in {folder} cannot be loaded: {str(error).strip()[:400]}"
                ) from error
        told = {"kind": "st", "max_tokens": model.max_seq_length, "half": options.half == "on"}
        encoder.fingerprint = fingerprint(folder, files_of(folder, _FILES), told)
        return encoder

    def prepare(self, values: Sequence[str]) -> list[_Text]:
        """Texts with how many tokens they have; huge ones cut."""
        longest = self._model.max_seq_length * _CHARACTERS_PER_TOKEN
        texts = [value[:longest].encode("utf-8", "replace").decode() for value in values]
        found = self._model.tokenizer(texts, truncation=True, max_length=self._model.max_seq_length)
        return [_Text(text, len(ids)) for text, ids in zip(texts, found["input_ids"], strict=True)]

    def length(self, item: _Text) -> int:
        """Tokens of a text."""
        return item.tokens

    def fewest(self, item: _Text) -> int:
        """Rows that make any matrix product take the kernels of a large one."""
        return self.batch if self._whole else fewest_texts(item.tokens, self.batch)

    def run(self, items: Sequence[_Text]) -> NDArray[np.float32]:
        """Vectors float32 [items, width] of texts of equally many tokens."""
        with one_thread(import_torch(self.name, "sentence")):
            found = self._model.encode(
                [item.text for item in items],
                batch_size=len(items),
                show_progress_bar=False,
                convert_to_numpy=False,
                convert_to_tensor=True,
            )
        return np.asarray(found.float().cpu().numpy(), np.float32)

    folder: Path
    inputs = ("input_ids", "attention_mask", "token_type_ids")

    def features(self, **given: Any) -> Any:  # noqa: ANN401 - tensors
        """The vectors as a tensor [texts, width], from tensors int64 [texts, tokens] named as in `inputs`."""
        return self._model(given)["sentence_embedding"]


def _check_folder(folder: Path, spec: str) -> None:
    """Only what sentence-transformers reads without running code or unpickling."""
    if not any((folder / name).is_file() for name in ("modules.json", "config.json")):
        raise EncoderError(f"{spec}: {folder} has neither modules.json nor config.json; it holds no model")
    for weights in sorted(folder.glob("**/*.bin")):
        if not any(weights.parent.glob("*.safetensors")):
            raise EncoderError(
                f"{spec}: {weights} is a pickle, which is not opened; save the model with safetensors"
            )
    if not any(folder.glob("**/*.safetensors")):
        raise EncoderError(f"{spec}: {folder} has no weights (model.safetensors)")
