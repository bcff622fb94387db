"""A catalogue with its pictures for others to load: the imagefolder form of `datasets`, with a card.

dataset/metadata.parquet has a row for each product with a picture, dataset/data/ its file: a hard link to the
content, or a copy where the file system has none. One file a product, since that form knows a picture by the
name of its file.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl

from shelfwise.catalogue.paths import UNLABELLED
from shelfwise.catalogue.products import clean
from shelfwise.catalogue.read import Source
from shelfwise.catalogue.roles import Roles
from shelfwise.images.ledger import Ledger
from shelfwise.images.store import STATE, file_of
from shelfwise.writing import write_parquet

DATASET = "dataset"
_ROWS = 20_000
_FIELDS = ("title", "description", "brand")
_SQL = """
SELECT w.row, w.position, w.product_id, l.url, l.sha, l.form, l.width, l.height
FROM wanted w JOIN links l ON l.id = w.link
WHERE l.state = 1 AND w.row >= ? AND w.row < ? ORDER BY w.number
"""
_SCHEMA: dict[str, type[pl.DataType]] = {
    "row": pl.Int64, "position": pl.Int64, "product_id": pl.String, "url": pl.String, "sha256": pl.String,
    "format": pl.String, "width": pl.Int64, "height": pl.Int64, "file_name": pl.String,
}  # fmt: skip


def publish(
    folder: Path, ledger: Ledger, source: Source, roles: Roles, notify: Callable[[int], None] | None = None
) -> int:
    """Write the folder `dataset`, anew and whole; returns the number of pictures in it.

    Parameters
    ----------
    folder
        Where the pictures were fetched to.
    ledger
        What is known of them.
    source, roles
        The catalogue: titles, descriptions, brands and categories go along.
    notify
        Told of the number of rows of the catalogue that are done.

    """
    building, target = folder / STATE / "dataset", folder / DATASET
    shutil.rmtree(building, ignore_errors=True)
    (building / "data").mkdir(parents=True)
    count = 0

    def pieces() -> Iterator[pl.DataFrame]:
        nonlocal count
        start = 0
        for batch in source.batches(_ROWS, roles.used(source.columns)):
            table = _linked(folder, building, ledger, (start, start + batch.height))
            products = clean(batch, roles, start, UNLABELLED)
            start += batch.height
            count += table.height
            if notify is not None:
                notify(start)
            yield _with_products(table, products)

    none = pl.DataFrame(schema={name: source.columns[name] for name in roles.used(source.columns)})
    empty = _with_products(pl.DataFrame(schema=_SCHEMA), clean(none, roles))
    write_parquet(empty, pieces(), building / "metadata.parquet")
    (building / "README.md").write_text(_card(count, source.rows, empty.columns), encoding="utf-8")
    shutil.rmtree(target, ignore_errors=True)
    os.replace(building, target)
    return count


def _linked(folder: Path, building: Path, ledger: Ledger, rows: tuple[int, int]) -> pl.DataFrame:
    """The pictures of some rows, with a file for each."""
    found = []
    for row, position, product_id, url, sha, form, width, height in ledger.rows(_SQL, rows):
        content = folder / file_of(str(sha), str(form))
        name = f"data/{int(str(row)) // 10_000:05d}/row-{int(str(row)):09d}-{position}{content.suffix}"
        path = building / name
        path.parent.mkdir(exist_ok=True)
        try:
            os.link(content, path)
        except OSError:
            shutil.copyfile(content, path)
        found.append((row, position, product_id, url, sha, form, width, height, name))
    return pl.DataFrame(found, schema=_SCHEMA, orient="row")


def _with_products(table: pl.DataFrame, products: pl.DataFrame) -> pl.DataFrame:
    about = products.select("row", *_FIELDS, pl.col("label_path").alias("category"))
    joined = table.join(about, on="row", how="left", maintain_order="left")
    return joined.select("file_name", "product_id", "position", *_FIELDS, "category", "url", "sha256")


def _card(pictures: int, rows: int, columns: list[str]) -> str:
    listed = "\n".join(f"- `{name}`" for name in columns)
    return f"""---
configs:
- config_name: default
  data_files:
  - split: train
    path: ["metadata.parquet", "data/**"]
task_categories:
- image-classification
---

# A catalogue with its pictures

{pictures:,} pictures of {rows:,} rows of a catalogue, one file each, as `datasets` loads them:

```python
from datasets import load_dataset
dataset = load_dataset("imagefolder", data_dir="this folder", split="train")
```

Columns of `metadata.parquet`:

{listed}

Pictures belong to whom the addresses in `url` belong to: ask before you pass them on, and name a licence
here. Hosts that do not want their pictures used for machine learning (`X-Robots-Tag: noai, noimageai,
noindex`) were left out.
"""
