"""A sample of a real index: varied, bounded, of a folder, and without copies."""

from pathlib import Path

import pytest

from lookalike.messages import ReadSample, SyncMessage
from tests.support.pictures import draw, picture
from worker.index.qdrant import QdrantIndex
from worker.sampling import sample
from worker.syncing.sync import Sync


@pytest.fixture
def names(root: Path, sync: Sync) -> list[str]:
    """Six kinds of pictures, five of each that differ by little, and a file that is none."""
    found = []
    for kind in range(6):
        for at in range(5):
            name = f"kind {kind}/{at}.png"
            draw(root / name, kind)
            shade = picture(kind).point(lambda value, at=at: max(0, value - at))
            shade.save(root / name)
            found.append(name)
    (root / "broken.png").write_bytes(b"nothing")
    sync.sync_paths(SyncMessage(paths=[*found, "broken.png"]))
    return found


def test_one_of_each_kind_is_shown(index: QdrantIndex, names: list[str]) -> None:
    found = sample(index, ReadSample(count=6), most=1000)

    assert found.among == len(names)
    assert {path.split("/")[0] for path in found.paths} == {f"kind {kind}" for kind in range(6)}


def test_folder_and_bound_limit_what_it_is_chosen_from(index: QdrantIndex, names: list[str]) -> None:
    in_folder = sample(index, ReadSample(count=50, under="kind 2"), most=1000)
    bounded = sample(index, ReadSample(count=50), most=7)

    assert in_folder.among == 5
    assert {path.split("/")[0] for path in in_folder.paths} == {"kind 2"}
    assert bounded.among == 7
    assert len(set(bounded.paths)) == len(bounded.paths) <= 7
    assert set(bounded.paths) <= set(names)


def test_an_empty_index_has_none(index: QdrantIndex) -> None:
    assert sample(index, ReadSample(count=3), most=10).paths == []


@pytest.mark.parametrize("count", [0, 1001])
def test_the_number_is_bounded(count: int) -> None:
    with pytest.raises(ValueError, match="count"):
        ReadSample(count=count)
