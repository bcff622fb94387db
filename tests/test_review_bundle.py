"""The page's bundle: built from the sources beside it, nothing but code of its own, every licence there."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
WEB = ROOT / "web"
STATIC = ROOT / "src" / "shelfwise" / "review" / "static"


def test_the_bundle_is_that_of_the_sources():
    hashed = hashlib.sha256()
    own = ["build.mjs", "package-lock.json", "package.json", "tsconfig.json"]
    inner = [path.relative_to(WEB).as_posix() for path in (WEB / "src").rglob("*") if path.is_file()]
    for name in sorted(own + inner):
        hashed.update(name.encode() + b"\0" + (WEB / name).read_bytes() + b"\0")

    first = (STATIC / "app.js").read_text(encoding="utf-8").split("\n", 1)[0]

    assert hashed.hexdigest() in first, "the page's sources have changed: run make page"


def test_the_bundle_has_no_eval_no_inline_code_and_no_address_of_a_registry():
    script = (STATIC / "app.js").read_text(encoding="utf-8")
    index = (STATIC / "index.html").read_text(encoding="utf-8")

    assert re.findall(r"\bnew Function\b|[^.\w]eval\(|unpkg|jsdelivr|cdnjs|esm\.sh", script) == []
    assert re.findall(r"<style|style=|<script(?! type=\"module\" src=\"/static/)| on\w+=", index) == []
    lock = json.loads((WEB / "package-lock.json").read_text(encoding="utf-8"))
    assert [name for name, package in lock["packages"].items() if "resolved" in package] == []


def test_the_licence_of_every_package_in_the_bundle_is_there():
    text = (STATIC / "THIRD_PARTY.txt").read_text(encoding="utf-8")
    direct = json.loads((WEB / "package.json").read_text(encoding="utf-8"))["dependencies"]

    for name, version in direct.items():
        assert f"{name} {version} (" in text
    assert "no text in the package" not in text
