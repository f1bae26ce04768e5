"""What people read of an answer in Flower, and of an error."""

import pytest
from pydantic import BaseModel

from lookalike.client.told import MOST_CHARS, sentence, told
from lookalike.duplicates.verdict_messages import VerdictReply
from lookalike.errors import Refused
from lookalike.messages import (
    DuplicatesReply,
    FilesReply,
    QueryReply,
    SampleReply,
    SearchManyReply,
    SearchReply,
    SyncReply,
    ThumbnailReply,
)
from lookalike.search.neighbour import Neighbour

FOUND = [Neighbour("houses/3.jpg", 0.98, 0.99, {}), Neighbour("b.jpg", 0.5, 0.75, {})]


@pytest.mark.parametrize(
    ("reply", "line"),
    [
        (SyncReply(embedded=9, rejected=1), "9 embedded, 1 rejected"),
        (SyncReply(), "nothing to do"),
        (SyncReply(split=7), "7 paths sent again one by one, for one of them ended or broke its process"),
        (SearchReply(neighbours=FOUND, took_ms=3), "2 neighbours, the nearest houses/3.jpg (0.990)"),
        (SearchReply(neighbours=[], took_ms=3, note="Nothing is indexed."), "0 neighbours; Nothing is indexed."),
        (SearchManyReply(replies=[QueryReply(), QueryReply(error="No.")], took_ms=3), "1 answered, 1 refused"),
        (FilesReply(files=[], next="more"), "0 files, and more"),
        (SampleReply(paths=["a"], among=2000), "1 of 2000 files"),
        (ThumbnailReply(jpeg="", format="PNG", width_px=640, height_px=480), "a picture of a PNG of 640 x 480"),
        (VerdictReply(recorded=1, unchanged=2), "1 verdict kept, 2 known before"),
        (
            DuplicatesReply(
                files=640, compared=3, approximate=False, groups=1, pairs={}, saved_bytes=3_100_000, took_s=0.51
            ),
            "1 group of 640 files, 3.1 MB to be saved, 3 compared in 0.51 s",
        ),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_it_counts_and_names_the_best(reply: BaseModel, line: str) -> None:
    assert told(reply) == line


def test_a_long_line_is_cut_off() -> None:
    assert len(told(SearchReply(neighbours=[Neighbour("x" * 500, 1.0, 1.0, {})], took_ms=1))) == MOST_CHARS


@pytest.mark.parametrize("said", ['No image: it\'s "text" (3 bytes).', "a\nb", "ü \\ x"])
def test_of_an_error_the_sentence_is_shown_alone(said: str) -> None:
    assert sentence(repr(Refused(said))) == said


@pytest.mark.parametrize("shown", ["WorkerLostError()", "KeyError(1)", "a b", "Retry(Refused('x'), 5)"])
def test_what_has_no_sentence_stays_as_it_is(shown: str) -> None:
    assert sentence(shown) == shown
