"""Which formats a revision of the decoder concerns: only those are embedded again after an upgrade."""

import pytest

from models.decoding import DECODER_REVISION
from models.decoding.opening import FORMATS, JPEG_FORMATS
from models.decoding.revisions import ALL_FORMATS, CHANGED, concerns, formats_changed

ROWS = {2: ALL_FORMATS, 3: frozenset({"PNG"}), 4: frozenset({"TIFF"})}


def test_each_revision_has_a_row_of_formats_that_the_decoder_knows() -> None:
    known = {*FORMATS, *JPEG_FORMATS, "RAW"}

    assert set(CHANGED) == set(range(2, int(DECODER_REVISION) + 1))
    assert all(formats is ALL_FORMATS or formats <= known for formats in CHANGED.values())


@pytest.mark.parametrize(
    ("found", "wanted", "formats"),
    [
        ("3", "3", frozenset()),
        ("3", "4", {"TIFF"}),
        ("2", "4", {"PNG", "TIFF"}),
        ("1", "4", ALL_FORMATS),
        # A revision that this version does not know, of later or no number.
        ("3", "5", ALL_FORMATS),
        ("5", "3", ALL_FORMATS),
        ("old", "3", ALL_FORMATS),
    ],
)
def test_what_changed_since_is_what_changed_in_each_step(found: str, wanted: str, formats: frozenset[str]) -> None:
    assert formats_changed(found, wanted, ROWS) == formats


def test_where_all_may_have_changed_each_format_is_concerned() -> None:
    assert concerns(ALL_FORMATS, "JPEG")
    assert not concerns(frozenset({"PNG"}), "JPEG")
