"""Checkpoints of a training: tensors as safetensors and the rest as JSON, whole or not at all.

    FOLDER/run.json                 what is trained on what; a checkpoint of anything else is refused
    FOLDER/step-00000200-0001/      state.json and state.safetensors: after that many steps and whole epochs
    FOLDER/best-0003.safetensors    the weights of the best epoch so far

A checkpoint is written beside its place, synced and renamed, and only then is the one before it removed:
whenever the process is killed, the last complete one is there.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shelfwise.errors import EncoderError


def checkpoint_folder(output: Path) -> Path:
    """Where the checkpoints for an output folder lie: beside it, `.NAME.training`."""
    output = Path(os.path.abspath(output))
    return output.parent / f".{output.name}.training"


def discard(output: str | os.PathLike[str]) -> None:
    """Forget a training that was not finished, so that the next one starts anew."""
    shutil.rmtree(checkpoint_folder(Path(output)), ignore_errors=True)


@dataclass
class Checkpoints:
    """The checkpoints of one training in a folder.

    Attributes
    ----------
    run: what tells this training from others: the digest of each part that decides its result.

    """

    folder: Path
    run: Mapping[str, str]

    def open(self) -> None:
        """Make the folder, or check that it is of this training.

        Raises
        ------
        EncoderError
            It holds checkpoints of another one.

        """
        path = self.folder / "run.json"
        if path.exists():
            there = json.loads(path.read_bytes())
            if differs := [name for name, value in self.run.items() if there.get(name) != value]:
                raise EncoderError(
                    f"{self.folder} holds checkpoints of another training: {' and '.join(differs)} "
                    f"{'differs' if len(differs) == 1 else 'differ'}. Run with what it was begun with, or "
                    "start anew with --restart, or give another output folder."
                )
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _write_json(path, self.run)
        except OSError as error:
            raise EncoderError(f"cannot write checkpoints to {self.folder}: {error}") from error

    def save(self, step: int, plain: Mapping[str, Any], tensors: Mapping[str, Any]) -> None:
        """Keep the state after `step` steps, and forget the ones before."""
        place = self.folder / f"step-{step:08}-{plain.get('epoch', 0):04}"
        building = self.folder / f"{place.name}.part"
        shutil.rmtree(building, ignore_errors=True)
        try:
            building.mkdir()
            write_tensors(building / "state.safetensors", tensors)
            _write_json(building / "state.json", plain)
            shutil.rmtree(place, ignore_errors=True)
            building.rename(place)
            _sync(self.folder)
        except OSError as error:
            raise EncoderError(
                f"cannot write a checkpoint to {self.folder}: {error}. What was there is kept; make room and "
                "run the same command again."
            ) from error
        for other in self.folder.glob("step-*"):
            if other != place:
                shutil.rmtree(other, ignore_errors=True)

    def load(self) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """The last state, as (plain values, tensors); None if there is none."""
        found = sorted(path for path in self.folder.glob("step-*") if path.suffix != ".part")
        if not found:
            return None
        try:
            plain = json.loads((found[-1] / "state.json").read_bytes())
            return plain, read_tensors(found[-1] / "state.safetensors")
        except (OSError, ValueError) as error:
            raise EncoderError(
                f"the checkpoint {found[-1]} is damaged: {error}. Start anew with --restart."
            ) from error

    def save_best(self, epoch: int, tensors: Mapping[str, Any]) -> None:
        """Keep the weights of an epoch, beside those of the best before it until `forget_others`."""
        path = self.best(epoch)
        building = path.with_suffix(".part")
        write_tensors(building, tensors)
        building.replace(path)

    def best(self, epoch: int) -> Path:
        """Where the weights of an epoch are."""
        return self.folder / f"best-{epoch:04}.safetensors"

    def forget_others(self, epoch: int) -> None:
        """Remove the weights of all epochs but one."""
        for path in self.folder.glob("best-*"):
            if path != self.best(epoch):
                path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.folder, ignore_errors=True)


def write_tensors(path: Path, tensors: Mapping[str, Any]) -> None:
    """Write tensors of torch and sync them to disk."""
    from safetensors.torch import save_file

    # A copy: several names may share memory, and training goes on with the original.
    save_file({name: one.detach().cpu().clone().contiguous() for name, one in tensors.items()}, str(path))
    with path.open("rb") as file:
        os.fsync(file.fileno())


def read_tensors(path: Path) -> dict[str, Any]:
    """Read tensors of torch; ValueError if the file is damaged."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(str(path)))
    except SafetensorError as error:
        raise ValueError(str(error)) from error


def _write_json(path: Path, plain: Mapping[str, Any]) -> None:
    building = path.with_suffix(".json-part")
    with building.open("w", encoding="utf-8") as file:
        json.dump(plain, file)
        file.flush()
        os.fsync(file.fileno())
    building.replace(path)


def _sync(folder: Path) -> None:
    """Make a rename last through a loss of power, where the system can."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
