"""The folder of a model that is named: one that lies here, or one of the Hugging Face hub.

Only weights as safetensors and settings as text are fetched: no pickle and no code. Without a network the
answer comes at once, and says how to do without one.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from threading import Thread
from typing import Any

from shelfwise.errors import EncoderError

_PATTERNS = ["*.json", "*.safetensors", "*.txt", "*.model", "tokenizer*", "*/config.json", "*/*.safetensors"]
_NEVER = ["*.py", "*.bin", "*.pkl", "*.pt", "onnx/*", "openvino/*"]
_SECONDS = 10.0
_REPOSITORY = re.compile(r"[\w.-]+(/[\w.-]+)?")


def model_folder(spec: str, name: str) -> Path:
    """The local folder of a model.

    Parameters
    ----------
    spec
        The encoder's, for messages.
    name
        A folder, or a name of the hub such as `google/vit-base-patch16-224`: taken from the hub's cache where
        it is there, else downloaded into it.

    Raises
    ------
    EncoderError
        There is no such folder and the hub does not have it, does not give it, or cannot be reached.

    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if not _REPOSITORY.fullmatch(name) or name.startswith((".", "/")):
        raise EncoderError(
            f"{spec}: the folder {folder} does not exist; give the folder that holds the model"
        )
    cached = _cached(name)
    return cached if cached is not None else _downloaded(spec, name)


def _cached(name: str) -> Path | None:
    from huggingface_hub import snapshot_download

    try:
        found = Path(snapshot_download(name, local_files_only=True, allow_patterns=_PATTERNS))
    except Exception:  # not there: the hub's errors differ from version to version
        return None
    return found if (found / "config.json").exists() or (found / "modules.json").exists() else None


def _downloaded(spec: str, name: str) -> Path:
    from huggingface_hub import HfApi, snapshot_download

    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        raise EncoderError(f"{spec}: {name} is not here and HF_HUB_OFFLINE is set. {_way_out(spec, name)}")
    answer: dict[str, Any] = {}

    def ask() -> None:
        try:
            answer["info"] = HfApi().model_info(name, timeout=_SECONDS / 2)
        except Exception as error:
            answer["error"] = error

    asking = Thread(target=ask, daemon=True)  # looking up a name can hang for minutes where nothing answers
    asking.start()
    asking.join(_SECONDS)
    if "info" not in answer:
        raise EncoderError(_unreachable(spec, name, answer.get("error"))) from answer.get("error")
    try:
        revision = answer["info"].sha
        folder = snapshot_download(name, revision=revision, allow_patterns=_PATTERNS, ignore_patterns=_NEVER)
    except Exception as error:
        raise EncoderError(
            f"{spec}: the download from the hub broke off: {error}. Run the same command again; what is "
            "there is not fetched again."
        ) from error
    return Path(folder)


def _unreachable(spec: str, name: str, error: Exception | None) -> str:
    kind = type(error).__name__
    if kind in ("RepositoryNotFoundError", "GatedRepoError"):
        return (
            f"{spec}: there is no folder {name} here, and the hub has no such model or does not give it to "
            "everybody. Check the name; for a model behind a login run `hf auth login` first."
        )
    reason = "no answer" if error is None else str(error).split("\n")[0][:200]
    return (
        f"{spec}: there is no folder {name} here, and the hub cannot be reached ({reason}). "
        f"{_way_out(spec, name)}"
    )


def _way_out(spec: str, name: str) -> str:
    scheme = spec.split(":")[0]
    return (
        f"Where there is a network run `hf download {name} --local-dir FOLDER`, bring the folder here and "
        f"give it as {scheme}:FOLDER."
    )
