"""Commands are killed, their disk filled and broken, their clock turned: nothing may be lost or spoiled.

    python benchmarks/faults.py [--kills 200] [--places 12] [--only train,predict] [--products 400]

Each stage (training on texts, training on pictures with their encoding, prediction, audit) works on a small
generated shop. First it runs undisturbed; the SHA-256 of all that it wrote is what every other run has to
come to:

- killed (SIGKILL, the whole process group) at a moment drawn at random, then run again;
- with a call on its files that fails, at some of all the places where it makes such a call: writing (disk
  full from there on; one input/output error), flushing, renaming, creating (read-only from there on), and
  reading the catalogue. A library that is preloaded makes the calls fail (`faults.c`, needs a C compiler);
- on a file system that is too small, and on one that is read-only (needs to be root, to mount them);
- with a clock that jumps a year forth or back.

After each: is what is there whole, did a failure say in words what was wrong with exit code 2, does running
it again come to the same bytes, and is nothing left behind? Full runs (200 kills and more) are kept in
`benchmarks/results/faults.json` and `.md`, shorter ones printed.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import record

SOURCE = Path(__file__).with_name("faults.c")
FULL = 200
YEAR = 31_536_000
MOST = 900.0
"""Seconds after which a run counts as hanging."""


@dataclass(frozen=True)
class Fault:
    """A call that fails. until_end: all from there on, too. catalogue: calls on what is read."""

    name: str
    call: str
    number: int
    until_end: bool = False
    catalogue: bool = False


FAULTS = (
    Fault("disk full from then on", "write", errno.ENOSPC, until_end=True),
    Fault("a write fails", "write", errno.EIO),
    Fault("a flush fails", "sync", errno.EIO),
    Fault("a rename fails", "rename", errno.EIO),
    Fault("read-only from then on", "open", errno.EROFS, until_end=True),
    Fault("a read of the catalogue fails", "read", errno.EIO, catalogue=True),
    Fault("the clock jumps a year ahead", "clock", YEAR, until_end=True),
    Fault("the clock jumps a year back", "clock", -YEAR, until_end=True),
)


@dataclass
class Stage:
    """A command over a shop; `arguments` with `{here}` for the folder it writes to, `{shop}` for the shop."""

    name: str
    arguments: Sequence[str]
    shop: Path
    wanted: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def command(self, here: Path) -> list[str]:
        """What is run."""
        words = [word.format(here=here, shop=self.shop) for word in self.arguments]
        return [sys.executable, "-m", "shelfwise", *words]

    def run(self, here: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        whole = {**os.environ, "SHELFWISE_CACHE": str(here / "cache"), **(env or {})}
        return subprocess.run(
            self.command(here), env=whole, capture_output=True, text=True, timeout=MOST, check=False
        )

    def begin(self, here: Path) -> None:
        """Run undisturbed, and remember what came out."""
        started = time.perf_counter()
        done = self.run(here)
        self.seconds = time.perf_counter() - started
        if done.returncode:
            sys.exit(f"{self.name} fails undisturbed:\n{done.stderr[-2000:]}")
        self.wanted = results(here)


def results(here: Path) -> dict[str, str]:
    """SHA-256 of all that was written but the cache, which is free to be laid out in any way."""
    return {
        path.relative_to(here).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(here.rglob("*"))
        if path.is_file() and path.relative_to(here).parts[0] != "cache"
    }


def stages(shop: Path, model: Path) -> list[Stage]:
    """All stages. Prediction is asked of a model that was made beforehand."""
    catalogue, pictures = "{shop}/catalogue.parquet", ("--images", "{shop}/images")
    quick = shop / "quick.toml"
    quick.write_text('[pictures]\nlearner = "neighbours"\n', encoding="utf-8")
    return [
        Stage("train", ("train", catalogue, "--model", "{here}/model"), shop),
        Stage(
            "train on pictures",
            ("train", catalogue, "--model", "{here}/model", *pictures, "--recipe", str(quick)),
            shop,
        ),
        Stage("predict", ("predict", str(model), catalogue, "--output", "{here}/out.parquet"), shop),
        Stage("audit", ("audit", catalogue, "--output", "{here}/doubts.parquet"), shop),
    ]


@dataclass
class Tally:
    """What became of the runs of one stage with one fault."""

    stage: str
    fault: str
    runs: int = 0
    unharmed: int = 0
    refused: int = 0
    wrong: list[str] = field(default_factory=list)
    left: int = 0

    def told(self, what: str) -> None:
        """Note something that must not be."""
        self.wrong.append(what)
        print(f"{self.stage}, {self.fault}: {what}", flush=True)


def partly(stage: Stage, here: Path) -> str | None:
    """What is there and not as in an undisturbed run, hidden files aside; None: nothing."""
    for name, digest in results(here).items():
        if any(part.startswith(".") for part in Path(name).parts):
            continue
        if stage.wanted.get(name) != digest:
            return name
    return None


def again(stage: Stage, here: Path, tally: Tally) -> None:
    """Run the stage once more where a disturbed run was, and compare."""
    done = stage.run(here)
    found = results(here)
    hidden = [name for name in found if any(part.startswith(".") for part in Path(name).parts)]
    tally.left += bool(hidden)
    plain = {name: digest for name, digest in found.items() if name not in hidden}
    if done.returncode:
        tally.told(f"running it again fails: {done.stderr[-300:]}")
    elif plain != stage.wanted:
        other = sorted(set(plain.items()) ^ set(stage.wanted.items()))
        tally.told(f"running it again comes to other bytes: {other[:2]}")


def kill(stage: Stage, moment: float, tally: Tally) -> None:
    """Kill the stage after so many seconds, look at what is there, and run it again."""
    with tempfile.TemporaryDirectory() as box:
        here = Path(box)
        env = {**os.environ, "SHELFWISE_CACHE": str(here / "cache")}
        process = subprocess.Popen(
            stage.command(here), env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(moment)
        tally.unharmed += process.poll() is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        tally.runs += 1
        if spoiled := partly(stage, here):
            tally.told(f"killed after {moment:.2f} s: {spoiled} is neither whole nor absent")
        again(stage, here, tally)


def disturbed(stage: Stage, fault: Fault, library: Path, places: int, chance: random.Random) -> Tally:
    """Let one call fail in each of some runs, at places spread over all where the stage makes such a call."""
    tally = Tally(stage.name, fault.name)
    with tempfile.TemporaryDirectory() as box:
        calls = counted(stage, fault, library, Path(box), 0)[1]
    wanted = range(1, calls + 1) if calls <= places else sorted(chance.sample(range(1, calls + 1), places))
    for place in wanted:
        with tempfile.TemporaryDirectory() as box:
            here = Path(box)
            done, _ = counted(stage, fault, library, here, place)
            judge(stage, done, here, tally)
    return tally


def counted(
    stage: Stage, fault: Fault, library: Path, here: Path, place: int
) -> tuple[subprocess.CompletedProcess[str], int]:
    """Run a stage with a fault at one of its calls, 0 for nowhere; the run and how many calls it made."""
    with tempfile.NamedTemporaryFile() as count:
        count.write(bytes(8))
        count.flush()
        done = stage.run(here, {
            "LD_PRELOAD": str(library), "FAULT_COUNT": count.name, "FAULT_CALL": fault.call,
            "FAULT_UNDER": str(stage.shop if fault.catalogue else here), "FAULT_AT": str(place),
            "FAULT_LAST": str(0 if fault.until_end else place), "FAULT_ERRNO": str(fault.number),
        })  # fmt: skip
        return done, int.from_bytes(Path(count.name).read_bytes(), sys.byteorder)


def judge(stage: Stage, done: subprocess.CompletedProcess[str], here: Path, tally: Tally) -> None:
    """Hold a disturbed run against what is promised, then run the stage again."""
    tally.runs += 1
    spoiled = partly(stage, here)
    if spoiled:
        tally.told(f"exit {done.returncode}, and {spoiled} is neither whole nor absent")
    if done.returncode == 0:
        tally.unharmed += 1
        if not spoiled and results(here) != stage.wanted:
            tally.told("it says that it worked, and something is missing or left over")
    elif done.returncode == 2 and "Error: " in done.stderr and "Traceback" not in done.stderr:
        tally.refused += 1
    else:
        tally.told(f"exit {done.returncode}: {done.stderr[-400:]}")
    again(stage, here, tally)


@contextlib.contextmanager
def small_disk(size: str, read_only: bool = False) -> Iterator[Path]:
    """A file system of its own; raises CalledProcessError where it cannot be mounted."""
    with tempfile.TemporaryDirectory() as box:
        options = f"size={size}" + (",ro" if read_only else "")
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", box], check=True, capture_output=True)
        try:
            yield Path(box)
        finally:
            subprocess.run(["umount", "-l", box], check=False)


def mounted(stage: Stage) -> Iterator[Tally]:
    """Run a stage on a file system that is too small and on one that is read-only."""
    for name, size, read_only in (("a disk of 16 kB", "16k", False), ("a read-only disk", "1m", True)):
        tally = Tally(stage.name, name)
        with small_disk(size, read_only) as here:
            done = stage.run(here, {"SHELFWISE_CACHE": str(here.parent / f"cache-{os.getpid()}")})
            tally.runs += 1
            if done.returncode == 2 and "Error: " in done.stderr and "Traceback" not in done.stderr:
                tally.refused += 1
            else:
                tally.told(f"exit {done.returncode}: {done.stderr[-400:]}")
            if left := sorted(results(here)):
                tally.told(f"left behind: {left[:3]}")
        shutil.rmtree(here.parent / f"cache-{os.getpid()}", ignore_errors=True)
        yield tally


def main() -> None:
    """Disturb what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=FULL, help="over all stages")
    parser.add_argument("--places", type=int, default=12, help="of each kind of call, for each stage")
    parser.add_argument("--products", type=int, default=400)
    parser.add_argument("--only", default="", help="stages, with commas between")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    chance = random.Random(asked.seed)
    with tempfile.TemporaryDirectory() as box:
        tallies = list(all_of(asked, chance, Path(box)))
    found = {"runs": [vars(tally) for tally in tallies], "circumstances": record.circumstances()}
    text = written(found)
    print(text)
    if asked.kills >= FULL and not asked.only:
        record.store("faults", found, text)
    sys.exit(any(tally.wrong for tally in tallies))


def all_of(asked: argparse.Namespace, chance: random.Random, box: Path) -> Iterator[Tally]:
    """All stages with all faults."""
    shop, model, library = box / "shop", box / "model", box / "faults.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-o", library, SOURCE, "-ldl"], check=True)
    shelfwise("demo", "--output", shop, "--products", asked.products)
    shelfwise("train", shop / "catalogue.parquet", "--model", model)
    chosen = [s for s in stages(shop, model) if not asked.only or s.name in asked.only.split(",")]
    for number, stage in enumerate(chosen):
        with tempfile.TemporaryDirectory() as here:
            stage.begin(Path(here))
        print(f"{stage.name}: {stage.seconds:.1f} s undisturbed", flush=True)
        kills = asked.kills // len(chosen) + (number < asked.kills % len(chosen))
        tally = Tally(stage.name, "killed")
        for _ in range(kills):
            kill(stage, chance.uniform(0, stage.seconds), tally)
        yield tally
        for fault in FAULTS:
            yield disturbed(stage, fault, library, asked.places, chance)
        if os.geteuid() == 0:
            try:
                yield from mounted(stage)
            except subprocess.CalledProcessError as error:
                print(f"nothing can be mounted here: {error.stderr.decode().strip()}")


def shelfwise(*words: object) -> None:
    """Run a command that has to work."""
    command = [sys.executable, "-m", "shelfwise", *map(str, words)]
    subprocess.run(command, check=True, capture_output=True)


def written(found: dict[str, Any]) -> str:
    """The results as a table."""
    head = [
        "stage",
        "what was done to it",
        "runs",
        "done all the same",
        "refused in words",
        "wrong",
        "left-overs",
    ]
    rows = [
        (r["stage"], r["fault"], r["runs"], r["unharmed"], r["refused"], len(r["wrong"]), r["left"])
        for r in found["runs"]
    ]
    text = (
        "Each disturbed run was run again and had to come to the bytes of an undisturbed one. Left-overs: "
        "runs after which a hidden file of a killed run was still there when it had been run again."
    )
    return f"{record.table(head, rows)}\n\n{text} {record.in_words(found['circumstances'])}"


if __name__ == "__main__":
    main()
