"""Texts to tokens by a model's own tokenizer.json, read with `tokenizers` alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.errors import EncoderError, MissingExtraError
from shelfwise.features.encoder_folder import read_json_if_there

FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.*",
    "merges.txt",
    "*.model",
    "added_tokens.json",
)
"""Files that say how a model's texts become tokens."""

_OFFSET_POSITIONS = ("roberta", "xlm-roberta", "camembert", "mpnet", "longformer", "data2vec-text")
_CHARACTERS_PER_TOKEN = 64  # more than any real text has: a huge text is cut before it is looked at


@dataclass(frozen=True)
class Tokens:
    """The tokens of one text: ids, types and mask (1 = read, 0 = padding), each int64 [tokens]."""

    ids: NDArray[np.int64]
    types: NDArray[np.int64]
    mask: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)


def stacked(items: Sequence[Tokens]) -> dict[str, NDArray[np.int64]]:
    """Texts of equally many tokens as the inputs of a model, each int64 [texts, tokens]."""
    return {
        "input_ids": np.stack([item.ids for item in items]),
        "attention_mask": np.stack([item.mask for item in items]),
        "token_type_ids": np.stack([item.types for item in items]),
    }


class Tokenizer:
    """Turns texts into tokens.

    Parameters
    ----------
    folder: holds tokenizer.json and, if need be, tokenizer_config.json.
    spec: the encoder's, for messages.
    max_tokens: tokens of a text that are kept, special ones included; fewer where the model says so.
    padded: pad every text to `max_tokens`, for the few models that were trained so.
    loaded: a `tokenizers.Tokenizer` to use in place of tokenizer.json.

    """

    def __init__(
        self,
        folder: Path,
        spec: str,
        max_tokens: int,
        padded: bool = False,
        loaded: Any = None,  # noqa: ANN401
    ) -> None:
        settings = read_json_if_there(folder / "tokenizer_config.json", spec)
        self.max_tokens = shortest(max_tokens, settings.get("model_max_length"))
        self._tokenizer = loaded if loaded is not None else _load(folder / "tokenizer.json", spec)
        try:
            self._tokenizer.no_padding()
            self._tokenizer.enable_truncation(self.max_tokens)
            if padded:
                token = _pad_token(settings) or "<pad>"
                number = self._tokenizer.token_to_id(token) or 0
                self._tokenizer.enable_padding(length=self.max_tokens, pad_id=number, pad_token=token)
        except Exception as error:  # tokenizers raises bare Exception
            raise EncoderError(f"{spec}: the tokenizer cannot be used: {error}") from error

    def __call__(self, texts: Sequence[str]) -> list[Tokens]:
        """The tokens of each text; a text may have none."""
        longest = self.max_tokens * _CHARACTERS_PER_TOKEN
        whole = [text[:longest].encode("utf-8", "replace").decode() for text in texts]  # no lone surrogates
        return [
            Tokens(*(np.array(part, np.int64) for part in (one.ids, one.type_ids, one.attention_mask)))
            for one in self._tokenizer.encode_batch(whole)
        ]


def shortest(*limits: Any) -> int:  # noqa: ANN401 - whatever a JSON file holds
    """The smallest of the limits that are whole numbers above 0."""
    return min(limit for limit in limits if isinstance(limit, int) and limit > 0)


def _load(path: Path, spec: str) -> Any:  # noqa: ANN401 - tokenizers.Tokenizer
    try:
        from tokenizers import Tokenizer as Loaded
    except ImportError:
        raise MissingExtraError(spec, "onnx") from None
    if not path.is_file():
        raise EncoderError(
            f"{spec}: {path.parent} has no tokenizer.json, so it is no encoder of texts, or an incomplete one"
        )
    try:
        return Loaded.from_file(str(path))
    except Exception as error:  # tokenizers raises bare Exception
        raise EncoderError(f"{spec}: {path} cannot be read: {error}") from error


def _pad_token(settings: dict[str, Any]) -> str | None:
    token = settings.get("pad_token")
    token = token.get("content") if isinstance(token, dict) else token
    return token if isinstance(token, str) else None


def limits(folder: Path, spec: str, config: dict[str, Any], asked: int) -> tuple[int, bool]:
    """How many tokens a model of that config.json reads, and whether every text is padded to as many."""
    text = config.get("text_config") if isinstance(config.get("text_config"), dict) else config
    assert isinstance(text, dict)
    positions = text.get("max_position_embeddings")
    kind = str(config.get("model_type", ""))
    if kind.startswith("siglip"):
        return shortest(positions, 64), True
    if isinstance(positions, int) and kind in _OFFSET_POSITIONS:
        positions -= 2  # they count from 2
    sentence = read_json_if_there(folder / "sentence_bert_config.json", spec)
    return shortest(asked, positions, sentence.get("max_seq_length")), False
