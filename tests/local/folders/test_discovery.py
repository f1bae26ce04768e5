"""How other commands find a running system, and what they do not take for one."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Timer

import pytest

from lookalike.errors import Misconfigured
from lookalike.library.address import BucketAddress
from lookalike.settings import read_settings
from lookalike.system.data_folder import DataFolder, make_data_folder
from lookalike.system.discovery import RunningSystem, find_running, publish, retract, with_running
from lookalike.system.file_locks import hold_lock


def running(
    folder: DataFolder, pid: int | None = None, broker: str = "redis://:secret@127.0.0.1:6379/0"
) -> RunningSystem:
    return RunningSystem(
        pid=os.getpid() if pid is None else pid,
        data=folder.root,
        library=Path("/photos"),
        library_id="an-id",
        name="mine",
        model="resnet",
        distance="dot",
        redis_url=broker,
        qdrant_url="http://127.0.0.1:6333",
        flower_url="http://127.0.0.1:5555",
        extensions=("jpg",),
        ignore=("raw",),
    )


@pytest.fixture(autouse=True)
def nothing_else_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))


@pytest.fixture
def held() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_a_state_file_counts_while_its_up_holds_the_lock(folder: DataFolder) -> None:
    publish(folder, running(folder))
    settings = read_settings(data=folder.root)

    with hold_lock(folder.lock):
        assert find_running(settings) == running(folder)
    assert find_running(settings) is None


def test_a_system_on_a_bucket_is_found_by_its_address(folder: DataFolder, held: ExitStack) -> None:
    held.enter_context(hold_lock(folder.lock))
    bucket = BucketAddress("s3://photos/2026")
    publish(folder, running(folder).model_copy(update={"library": bucket}))

    found = find_running(read_settings(library="s3://photos/2026/"))

    assert found is not None
    assert isinstance(found.library, BucketAddress)
    assert with_running(read_settings(data=folder.root)).library == bucket
    assert find_running(read_settings(library="s3://photos/2027")) is None


def test_a_state_file_of_another_process_than_the_holder_is_stale(folder: DataFolder, held: ExitStack) -> None:
    held.enter_context(hold_lock(folder.lock))
    publish(folder, running(folder, pid=1))

    assert find_running(read_settings(data=folder.root)) is None


def test_what_was_not_set_is_taken_over_and_what_was_set_stays(folder: DataFolder, held: ExitStack) -> None:
    held.enter_context(hold_lock(folder.lock))
    publish(folder, running(folder))

    found = with_running(read_settings(data=folder.root, distance="cosine"))

    assert (found.name, found.library, found.distance) == ("mine", Path("/photos"), "cosine")
    assert found.redis_url is not None
    assert found.redis_url.get_secret_value() == "redis://:secret@127.0.0.1:6379/0"


def test_a_broker_that_is_named_and_not_the_running_one_means_another_system(
    folder: DataFolder, held: ExitStack
) -> None:
    held.enter_context(hold_lock(folder.lock))
    publish(folder, running(folder))
    settings = read_settings(data=folder.root, redis_url="redis://elsewhere:6379/0")

    assert with_running(settings) == settings


def test_a_system_that_is_still_starting_is_waited_for(folder: DataFolder, held: ExitStack) -> None:
    held.enter_context(hold_lock(folder.lock))
    soon = Timer(0.3, lambda: publish(folder, running(folder)))
    soon.start()

    found = with_running(read_settings(data=folder.root))

    soon.join()
    assert found.name == "mine"


def test_of_several_systems_one_must_be_chosen_and_a_withdrawn_one_does_not_count(
    tmp_path: Path, held: ExitStack
) -> None:
    folders = [DataFolder(tmp_path / name) for name in ("one", "two")]
    for folder in folders:
        make_data_folder(folder)
        held.enter_context(hold_lock(folder.lock))
        publish(folder, running(folder))

    with pytest.raises(Misconfigured, match="choose one with --library"):
        find_running(read_settings())
    retract(folders[0])
    assert find_running(read_settings()) == running(folders[1])


def test_looking_for_a_system_makes_nothing(tmp_path: Path) -> None:
    assert find_running(read_settings()) is None
    assert list(tmp_path.iterdir()) == []
