"""The page's files come from the package alone."""

from __future__ import annotations

import asyncio

import pytest

from shelfwise.review import site


@pytest.fixture
def static(tmp_path, monkeypatch):
    folder = tmp_path / "static"
    (folder / "fonts").mkdir(parents=True)
    (folder / "app.js").write_text("1")
    (folder / "fonts" / "a.woff2").write_bytes(b"2")
    (folder / "secret.py").write_text("3")
    (tmp_path / "outside.js").write_text("4")
    (folder / "link.js").symlink_to(tmp_path / "outside.js")
    monkeypatch.setattr(site, "STATIC", folder)
    return folder


@pytest.mark.parametrize("name", ["app.js", "fonts/a.woff2", "fonts/../app.js"])
def test_files_of_the_page_are_found(static, name):
    assert site.find(name) == (static / name).resolve()


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../outside.js", "/etc/passwd", "link.js", "secret.py", "fonts", "a\x00b", "x" * 5000],
)
def test_nothing_else_is(static, name):
    assert site.find(name) is None


def test_an_unbuilt_page_says_how_to_build_it(static):
    answer = asyncio.run(site.page(None))
    assert answer.status_code == 503
    assert b"make page" in answer.body
    (static / "index.html").write_text("<p>page")
    assert asyncio.run(site.page(None)).body == b"<p>page"
