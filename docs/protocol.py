"""Generate the code of the gRPC interfaces from their .proto files.

    python docs/protocol.py            write what is not current
    python docs/protocol.py --check    write nothing, exit code 1 if something is not current

What it writes is never edited by hand: change the .proto file.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent / "src" / "shelfwise" / "serve" / "proto"
FILES = ("shelfwise/v1/categorizer.proto", "inference/grpc_predict_v2.proto")


def generated() -> dict[str, bytes]:
    """Return the generated files, by their paths below `ROOT`."""
    from grpc_tools import protoc

    with tempfile.TemporaryDirectory() as folder:
        for name in FILES:
            arguments = ["protoc", f"-I{ROOT}", f"--python_out={folder}", f"--pyi_out={folder}", name]
            if protoc.main(arguments):
                raise SystemExit(f"{name} cannot be compiled; see above")
        files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def stale() -> dict[str, bytes]:
    """Return the generated files that are not what lies in the package."""
    return {name: code for name, code in generated().items() if not _is_current(ROOT / name, code)}


def _is_current(path: Path, code: bytes) -> bool:
    return path.is_file() and path.read_bytes() == code


def main() -> int:
    """Entry point; returns the exit code."""
    changed = stale()
    for name, code in changed.items():
        if "--check" in sys.argv[1:]:
            print(f"{name} is not current: run python docs/protocol.py")
        else:
            (ROOT / name).write_bytes(code)
            print(f"{name} written")
    return 1 if changed and "--check" in sys.argv[1:] else 0


if __name__ == "__main__":
    sys.exit(main())
