"""`hf:` encoders: models of transformers for texts and pictures, from a folder or from the hub.

Texts: BERT and its kin, and the text towers of CLIP and SigLIP. Pictures: ViT, BEiT, ResNet, ConvNeXt,
EfficientNet, MobileNet and the like, and the picture towers of CLIP and SigLIP.

Weights are read as safetensors only, and no code of a model's folder is run. A layer that its checkpoint has
no weights for would be made up at random: such a pooling layer is not used, and any other is an error.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shelfwise.errors import EncoderError, MissingExtraError
from shelfwise.features import tokens
from shelfwise.features.batching import BatchedEncoder
from shelfwise.features.encoder_folder import files_of, fingerprint, read_json
from shelfwise.features.encoders import EncoderOptions
from shelfwise.features.hub import model_folder
from shelfwise.features.pooling import configured
from shelfwise.features.preprocessing import CONFIG, Preprocessing
from shelfwise.features.tokens import Tokenizer, Tokens
from shelfwise.features.torch_device import chosen, fewest_texts, import_torch, one_thread, side_by_side

if TYPE_CHECKING:
    from PIL.Image import Image

_WEIGHTS = ("config.json", "*.safetensors", "*.safetensors.index.json")
_OWN_POOLING = ("beit", "data2vec-vision")  # whose pooling layer is a mean that was trained


@dataclass(frozen=True)
class _Loaded:
    """A model in memory.

    Attributes
    ----------
    pooler: whether its pooling layer, if it has one, has weights of its own.

    """

    spec: str
    folder: Path
    config: dict[str, Any]
    model: Any
    device: Any
    type: Any
    pooler: bool

    @property
    def kind(self) -> str:
        """The architecture, as its config.json calls it."""
        return str(self.config.get("model_type", ""))


def _load(spec: str, name: str, options: EncoderOptions) -> _Loaded:
    try:
        import transformers
    except ImportError:
        raise MissingExtraError(spec, "transformers") from None
    import_torch(spec)
    folder = model_folder(spec, name)
    config = read_json(folder / "config.json", spec)
    if not any(folder.glob("*.safetensors")):
        there = "only weights in another form" if any(folder.glob("*.bin")) else "no weights"
        raise EncoderError(
            f"{spec}: {folder} has {there}; it takes model.safetensors (with transformers: "
            "model.save_pretrained(FOLDER, safe_serialization=True))"
        )
    device, kind = chosen(spec, options)
    with quiet(transformers):
        try:
            model, told = transformers.AutoModel.from_pretrained(
                str(folder),
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                output_loading_info=True,
                **{_type_keyword(transformers): kind},
            )
        except Exception as error:  # transformers raises what its parts raise
            raise EncoderError(
                f"{spec}: the model in {folder} cannot be loaded: {str(error).strip()[:400]}"
            ) from error
    missing = sorted(str(key) for key in told["missing_keys"])
    if other := [key for key in missing if "pooler" not in key]:
        raise EncoderError(
            f"{spec}: the weights in {folder} are not those of its config.json: {len(other)} are missing, "
            f"such as {other[0]}"
        )
    model.eval().requires_grad_(False).to(device)
    return _Loaded(spec, folder, config, model, device, kind, not missing)


def _type_keyword(transformers: Any) -> str:  # noqa: ANN401 - the module
    return "dtype" if int(transformers.__version__.split(".")[0]) >= 5 else "torch_dtype"


@contextlib.contextmanager
def quiet(transformers: Any) -> Iterator[None]:  # noqa: ANN401 - the module
    """Without the progress bars and remarks of transformers."""
    log = transformers.utils.logging
    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()


def _numpy(tensor: Any) -> NDArray[np.float32]:  # noqa: ANN401 - torch.Tensor
    return np.asarray(tensor.float().cpu().numpy(), np.float32)


def _features(result: Any) -> Any:  # noqa: ANN401 - torch.Tensor, or an output that holds it
    return getattr(result, "pooler_output", result)


def _told(options: EncoderOptions) -> dict[str, object]:
    """The options that change vectors by more than the cache rounds them."""
    return {"kind": "hf", "pooling": options.pooling, "half": options.half == "on"}


def _finish(encoder: TransformerTextEncoder | TransformerImageEncoder, once: list[Any]) -> None:
    """Find out the width of an encoder by running it."""
    try:
        vectors = encoder.run_filled(once)
    except EncoderError:
        raise
    except Exception as error:
        raise EncoderError(f"{encoder.name}: the model cannot be run: {str(error).strip()[:400]}") from error
    if vectors.ndim != 2 or len(vectors) != 1:
        raise EncoderError(f"{encoder.name}: the model gives an array {list(vectors.shape)}, no vector")
    encoder.width = int(vectors.shape[1])


class TransformerTextEncoder(BatchedEncoder[str, Tokens]):
    """A model of transformers for texts; `open` makes one."""

    def __init__(self, loaded: _Loaded, tokenizer: Tokenizer, pooling: str, options: EncoderOptions) -> None:
        self.name = loaded.spec
        self.batch, self.concurrency = side_by_side(loaded.device, options)
        self.folder = loaded.folder
        self.module = loaded.model
        self._loaded = loaded
        self._tokenizer = tokenizer
        self._pooling = pooling

    @classmethod
    def open(cls, name: str, options: EncoderOptions) -> TransformerTextEncoder:
        """Open a folder or a model of the hub; EncoderError where that does not give an encoder of texts."""
        spec = f"hf:{name}"
        loaded = _load(spec, name, options)
        folder = loaded.folder
        most, padded = tokens.limits(folder, spec, loaded.config, options.max_tokens)
        tokenizer = Tokenizer(folder, spec, most, padded, _older_tokenizer(folder, spec))
        pooling = configured(folder, spec, options.pooling) or _text_pooling(loaded)
        if pooling == "pooler" and not (loaded.pooler or hasattr(loaded.model, "get_text_features")):
            raise EncoderError(f"{spec}: its checkpoint has no pooling layer; ask for pooling mean or cls")
        encoder = cls(loaded, tokenizer, pooling, options)
        _finish(encoder, encoder.prepare(["a"]))
        files = files_of(folder, (*_WEIGHTS, *tokens.FILES, "1_Pooling/config.json"))
        told = {**_told(options), "modality": "text", "max_tokens": tokenizer.max_tokens}
        encoder.fingerprint = fingerprint(folder, files, told)
        return encoder

    def prepare(self, values: Sequence[str]) -> list[Tokens]:
        """The tokens of texts."""
        return self._tokenizer(values)

    def length(self, item: Tokens) -> int:
        """Tokens of a text."""
        return len(item)

    def fewest(self, item: Tokens) -> int:
        """Rows that make any matrix product take the kernels of a large one."""
        return self.batch if self._pooling == "pooler" else fewest_texts(len(item), self.batch)

    def run(self, items: Sequence[Tokens]) -> NDArray[np.float32]:
        """Vectors float32 [items, width] of texts of equally many tokens."""
        torch = import_torch(self.name)
        feeds = tokens.stacked(items)
        given = {name: torch.from_numpy(feeds[name]).to(self._loaded.device) for name in self.inputs}
        with one_thread(torch), torch.inference_mode():
            return _numpy(self.features(**given))

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of what the model takes."""
        if self._loaded.kind.startswith("siglip"):
            return ("input_ids",)  # trained to read its padding
        typed = int(self._loaded.config.get("type_vocab_size") or 0) > 1
        return ("input_ids", "attention_mask", "token_type_ids") if typed else ("input_ids", "attention_mask")

    def features(self, **given: Any) -> Any:  # noqa: ANN401 - tensors
        """The vectors as a tensor [texts, width], from tensors int64 [texts, tokens] named as in `inputs`."""
        model = self._loaded.model
        if self._pooling == "pooler" and hasattr(model, "get_text_features"):
            return _features(model.get_text_features(**given))
        result = getattr(model, "text_model", model)(**given)
        if self._pooling == "pooler":
            return result.pooler_output
        found = result.last_hidden_state
        if self._pooling == "cls":
            return found[:, 0]
        if "attention_mask" not in given:
            return found.mean(1)
        weights = given["attention_mask"][:, :, None].to(found.dtype)
        return (found * weights).sum(1) / weights.sum(1)


def _older_tokenizer(folder: Path, spec: str) -> Any:  # noqa: ANN401 - tokenizers.Tokenizer
    """The tokenizer of a folder that has a vocabulary only; None where there is a tokenizer.json."""
    if (folder / "tokenizer.json").is_file():
        return None
    import transformers

    with quiet(transformers):
        try:
            made = transformers.AutoTokenizer.from_pretrained(
                str(folder), local_files_only=True, trust_remote_code=False
            )
            return made.backend_tokenizer
        except Exception as error:
            raise EncoderError(
                f"{spec}: {folder} has no tokenizer.json, and none can be made of what is there: "
                f"{str(error).strip()[:200]}"
            ) from error


def _text_pooling(loaded: _Loaded) -> str:
    return "pooler" if hasattr(loaded.model, "get_text_features") else "mean"


class TransformerImageEncoder(BatchedEncoder["Image", NDArray[np.uint8]]):
    """A model of transformers for pictures; `open` makes one."""

    def __init__(
        self, loaded: _Loaded, preprocessing: Preprocessing, pooling: str, options: EncoderOptions
    ) -> None:
        self.name = loaded.spec
        self.batch, self.concurrency = side_by_side(loaded.device, options, pictures=True)
        self.preprocessing = preprocessing
        self.folder = loaded.folder
        self.module = loaded.model
        self._loaded = loaded
        self._pooling = pooling

    @classmethod
    def open(cls, name: str, options: EncoderOptions) -> TransformerImageEncoder:
        """Open a folder or a model of the hub; EncoderError where that gives no encoder of pictures."""
        spec = f"hf:{name}"
        loaded = _load(spec, name, options)
        preprocessing = Preprocessing.from_config(read_json(loaded.folder / CONFIG, spec), spec)
        encoder = cls(loaded, preprocessing, _picture_pooling(loaded, options.pooling), options)
        _finish(encoder, [np.full((*preprocessing.size, 3), 127, np.uint8)])
        files = files_of(loaded.folder, (*_WEIGHTS, CONFIG))
        encoder.fingerprint = fingerprint(loaded.folder, files, {**_told(options), "modality": "image"})
        return encoder

    def prepare(self, values: Sequence[Image]) -> list[NDArray[np.uint8]]:
        """Pictures as pixels of the size that the model takes."""
        return [self.preprocessing.pixels(value) for value in values]

    def fewest(self, item: NDArray[np.uint8]) -> int:
        """Always a whole batch: some layers see one row a picture."""
        return self.batch

    def run(self, items: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Vectors float32 [items, width]."""
        torch = import_torch(self.name)
        planes = torch.from_numpy(self.preprocessing.planes(items))
        with one_thread(torch), torch.inference_mode():
            return _numpy(self.features(planes.to(self._loaded.device, self._loaded.type)))

    def features(self, planes: Any) -> Any:  # noqa: ANN401 - tensors
        """The vectors as a tensor [pictures, width], from a tensor [pictures, 3, height, width]."""
        model = self._loaded.model
        if self._pooling == "pooler" and hasattr(model, "get_image_features"):
            return _features(model.get_image_features(pixel_values=planes))
        result = getattr(model, "vision_model", model)(pixel_values=planes)
        if self._pooling == "pooler":
            return result.pooler_output.flatten(1)
        found = result.last_hidden_state
        if found.ndim == 4:
            return found.mean((2, 3))
        return found[:, 0] if self._pooling == "cls" else found.mean(1)


def _picture_pooling(loaded: _Loaded, asked: str) -> str:
    """How to make one vector of a picture."""
    if hasattr(loaded.model, "get_image_features"):
        return "pooler" if asked == "auto" else asked
    if asked == "pooler" and not loaded.pooler:
        raise EncoderError(f"{loaded.spec}: its checkpoint has no pooling layer; ask for pooling mean or cls")
    if asked != "auto":
        return asked
    convolutional = not {"num_attention_heads", "num_heads"} & set(loaded.config)
    return "pooler" if loaded.pooler and (convolutional or loaded.kind in _OWN_POOLING) else "cls"
