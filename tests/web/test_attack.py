"""What `python -m tests.programs.attack` sends is refused by a running gallery, and leaves nothing behind."""

import random
from collections.abc import Callable, Iterator

import pytest

from tests.programs.attack.fuzzing import FORMATS, fuzz
from tests.programs.attack.target import Status, Target, image, is_refused
from tests.programs.attack.ways import WAYS
from tests.web.conftest import Gallery

FUZZED = 40


@pytest.mark.parametrize("way", WAYS)
def test_what_is_sent_is_refused_and_nothing_written(
    gallery: Gallery, way: Callable[[Target], Iterator[Status]]
) -> None:
    before = gallery.names()

    with Target(gallery.url, gallery.library) as target:
        statuses = list(way(target))

    assert [status for status in statuses if not is_refused(status)] == []
    assert gallery.names() == before


def test_broken_pictures_cost_no_answer(gallery: Gallery) -> None:
    seeds = [image(name) for name in FORMATS]

    with Target(gallery.url, gallery.library) as target:
        statuses = list(fuzz(target, FUZZED, random.Random(1), seeds))

    assert {*statuses} <= {200, 422}
    assert gallery.http.get("/readyz").status_code == 200
