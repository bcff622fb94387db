"""The tree of errors. Whatever goes wrong for a reason that a shop's engineer can act on is one of these.

    ShelfwiseError
    ├── CatalogueError      a file, a row or a column of the catalogue cannot be used
    │   ├── LabelError      the categories cannot be learned from (none, only one, a bad mapping)
    │   └── PictureError    one picture cannot be used; `code` says why in a word
    ├── AddressError        an address is not fetched, or could not be; `code` says why in a word
    ├── RecipeError         a recipe or an option has a wrong name, type or value
    ├── ModelError          a model folder is missing, damaged, foreign or newer, or a model was never fitted
    ├── EncoderError        a pretrained encoder cannot be opened or does not fit
    ├── PromiseError        the data cannot support the promise that was asked for
    ├── WorkspaceError      memory or disk are too small for the work
    └── MissingExtraError   an optional dependency is not installed

Each message says what was wrong, where (file, row, column or option), and what to do. The command line prints
the message alone and ends with exit code 2; anything else that escapes is a bug and shows its traceback.
"""

from __future__ import annotations


class ShelfwiseError(Exception):
    """Root of everything that Shelfwise raises on purpose."""


class CatalogueError(ShelfwiseError):
    """A catalogue cannot be read or used."""


class LabelError(CatalogueError):
    """The categories of a catalogue cannot be learned from."""


class PictureError(CatalogueError):
    """One picture cannot be used: it costs one view of one product and never ends a run.

    `code`: "missing", "unreadable", "empty", "too_large", "not_a_picture", "format", "truncated" or
    "too_many_pixels"; decoded in another process also "decoder_memory", "decoder_time", "decoder_died" or
    "decoder_missing"; fetched also what `AddressError` says.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class AddressError(ShelfwiseError):
    """An address is not fetched, or could not be.

    `code`: "address_refused" (it leads where nothing is fetched), "address_status", "address_redirects",
    "address_too_large", "address_encoding", "address_time" or "address_failed".
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class RecipeError(ShelfwiseError):
    """A recipe or an option is wrong."""


class ModelError(ShelfwiseError):
    """A model folder cannot be loaded, or a model was never fitted."""


class EncoderError(ShelfwiseError):
    """A pretrained encoder cannot be opened, or does not fit the model or the data."""


class PromiseError(ShelfwiseError):
    """The data cannot support the promise that was asked for."""


class WorkspaceError(ShelfwiseError):
    """The memory that may be filled, or the disk that work files lie on, is too small for the work."""


class MissingExtraError(ShelfwiseError):
    """An optional dependency is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f'{feature} needs an extra that is not installed: pip install "shelfwise[{extra}]"')
