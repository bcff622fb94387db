"""Codes: each has a meaning, and the passing ones are those that asking again may help."""

import pytest

from shelfwise.catalogue.decoders import CODES
from shelfwise.images.codes import MEANINGS, meaning, of_status, passes


def test_every_code_of_a_decoder_has_a_meaning():
    assert set(MEANINGS) >= CODES


@pytest.mark.parametrize(
    ("status", "passing"), [(404, False), (403, False), (429, True), (503, True), (204, False)]
)
def test_codes_of_statuses(status, passing):
    assert of_status(status) == f"status_{status}"
    assert meaning(of_status(status)) == f"HTTP {status}"
    assert passes(of_status(status)) is passing


@pytest.mark.parametrize("code", ["timeout", "unknown_host", "broken", "connection_refused"])
def test_what_a_network_does_may_pass(code):
    assert passes(code)


@pytest.mark.parametrize("code", ["truncated", "opted_out", "address_refused", "not_a_picture"])
def test_what_a_host_means_does_not(code):
    assert not passes(code)
