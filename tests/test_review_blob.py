"""Records come back as they were put in, whatever is in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelfwise.review.blob import Blob


@given(st.lists(st.lists(st.binary(max_size=50))))
def test_records_come_back_by_number(batches):
    blob = Blob()
    for batch in batches:
        blob.extend(batch)
    every = [record for batch in batches for record in batch]
    assert [blob.read(number) for number in range(len(blob))] == every
    blob.close()


@pytest.mark.parametrize("number", [-1, 2])
def test_a_number_that_is_not_there_is_no_record(number):
    blob = Blob()
    blob.extend([b"a", b"b"])
    with pytest.raises(IndexError):
        blob.read(number)
    blob.close()
