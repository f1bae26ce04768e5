"""The short form of `make faults`: every kind of call fails once, and nothing is lost."""

import logging
from collections.abc import Iterator

import pytest

from tests.programs.faults.choosing import few_faults
from tests.programs.faults.world import World, world

# A fault of a file, one of the store and one of the broker in each; other seeds choose others.
GROUPS, SEED = 24, 1


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    logging.disable(logging.WARNING)
    with world(tmp_path_factory.mktemp("faults")) as whole:
        yield whole
    logging.disable(logging.NOTSET)


def test_whichever_call_fails_the_index_equals_the_library_after_the_next_scan(whole: World) -> None:
    calls = whole.count()
    groups = few_faults(calls, together=GROUPS, seed=SEED)
    wrong = {}
    met = set()
    for faults in groups:
        failed, said = whole.meet(*faults)
        met |= {fault.kind for fault in failed}
        if said:
            wrong[" and ".join(map(str, faults))] = said

    assert wrong == {}
    assert len(met) >= len(calls) * 0.8
    assert met >= {"scan: stat", "scan: list", "work: stat", "work: open", "work: read", "store: retrieve"}
    assert met >= {"store: upsert", "store: delete", "broker: LPUSH", "broker: EXEC", "broker: HGETALL"}


def test_what_is_wrong_is_told(whole: World) -> None:
    """As it is before the scan."""
    whole.begin()
    said = "; ".join(whole.complain())

    assert "lost new/new.png" in said
    assert "ghost gone.png" in said
    assert "wrong: edited.png is stale" in said
