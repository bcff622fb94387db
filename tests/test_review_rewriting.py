"""A catalogue is written whole or not at all, and its texts stay as they were."""

from __future__ import annotations

import polars as pl
import pytest

from shelfwise.errors import CatalogueError
from shelfwise.review.rewriting import write_catalogue

PIECES = [
    pl.DataFrame({"a": ["=1+1", 'x"\n,'], "n": [1, None]}),
    pl.DataFrame({"a": ["-5", None], "n": [3, 4]}),
]
READERS = {"out.parquet": pl.read_parquet, "out.csv": pl.read_csv, "out.jsonl": pl.read_ndjson}


@pytest.mark.parametrize("name", list(READERS))
def test_pieces_follow_each_other_untouched(tmp_path, name):
    write_catalogue(iter(PIECES), tmp_path / name)
    assert READERS[name](tmp_path / name).rows() == pl.concat(PIECES).rows()


@pytest.mark.parametrize("name", list(READERS))
def test_what_fails_on_the_way_leaves_the_old_file_and_nothing_else(tmp_path, name):
    def pieces():
        yield PIECES[0]
        raise CatalogueError("the catalogue ended too soon")

    (tmp_path / name).write_text("before")
    with pytest.raises(CatalogueError, match="ended too soon"):
        write_catalogue(pieces(), tmp_path / name)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["before"]
