"""Run the commands in a document's `console` blocks anew and put down what they print.

    python docs/outputs.py README.md --folder scratch         with a demo shop made there
    python docs/outputs.py docs/tutorial.md --folder data     with the catalogues that the tutorial names

A block is a fence marked `console`; each line in it that begins with `$ ` is run by the shell in the folder,
with this interpreter's `shelfwise` first on the path.
Blocks share the folder: a later one sees what an earlier wrote.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def rerun(text: str, folder: Path) -> str:
    """A document's text with the output of its blocks as it is now."""

    def fresh(block: re.Match[str]) -> str:
        commands = re.findall(r"^\$ (.*)$", block[1], flags=re.MULTILINE)
        return "```console\n" + "\n".join(f"$ {line}\n{run(line, folder)}" for line in commands) + "```"

    return BLOCK.sub(fresh, text)


def run(command: str, folder: Path) -> str:
    """What a command prints, without spaces at the ends of lines; it must succeed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "NO_COLOR": "1"}
    done = subprocess.run(
        command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, encoding="utf-8"
    )
    if done.returncode:
        raise SystemExit(f"{command}\n{done.stdout}{done.stderr}")
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("documents", nargs="+", type=Path)
    parser.add_argument("--folder", type=Path, required=True, help="where the commands run")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    for document in chosen.documents:
        document.write_text(rerun(document.read_text(encoding="utf-8"), chosen.folder), encoding="utf-8")


if __name__ == "__main__":
    main()
