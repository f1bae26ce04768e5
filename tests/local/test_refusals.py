"""What `up` refuses before anything is started: each in one sentence that says what to do."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from lookalike.errors import CollectionMismatch, Misconfigured, NotRunning, Unreachable
from lookalike.local import down, logs, up
from lookalike.local.folders.library_identity import keep_identity, owned_by
from lookalike.local.supervision import preflight
from lookalike.local.supervision.machine_limits import CrashLimit, need_space, why_it_ended
from lookalike.settings import Settings, read_settings
from lookalike.system.data_folder import DataFolder
from lookalike.system.file_locks import hold_lock
from tests.support.valkey import free_port, valkey_process


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "PATIENCE_S", 0.1)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    library = tmp_path / "photos"
    library.mkdir()
    return library


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings(data=tmp_path / "data")


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that is taken and on which nobody answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_a_library_that_does_not_exist(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="does not exist: name a folder with images"):
        up(settings, tmp_path / "nowhere")


def test_a_library_that_is_a_file(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "cat.jpg").touch()

    with pytest.raises(Misconfigured, match="is a file: name the folder it is in"):
        up(settings, tmp_path / "cat.jpg")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_library_that_cannot_be_read(settings: Settings, library: Path) -> None:
    library.chmod(0)

    with pytest.raises(Misconfigured, match="cannot be read"):
        up(settings, library)


def test_a_data_folder_that_cannot_be_made(library: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(Misconfigured, match=r"cannot be written .*--data or LOOKALIKE_DATA"):
        up(read_settings(data=tmp_path / "file" / "data"), library)


def test_a_data_folder_that_holds_somebodys_files(library: Path, tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "aunt.txt").touch()

    with pytest.raises(Misconfigured, match="holds other files"):
        up(read_settings(data=tmp_path / "letters"), library)


def test_a_data_folder_in_the_library_which_would_index_itself(library: Path) -> None:
    with pytest.raises(Misconfigured, match="lies in the library"):
        up(read_settings(data=library / "data"), library)


def test_a_disk_with_too_little_room_is_told_at_start_and_when_all_ends(folder: DataFolder) -> None:
    need_space(folder, needed_mib=1)
    with pytest.raises(Misconfigured, match=r"MiB free and 1000000000 are needed: make room"):
        need_space(folder, needed_mib=10**9)

    assert "is full" in why_it_ended(folder, full_mib=10**9)
    assert "supervisor ended" in why_it_ended(folder, full_mib=0)


def test_all_parts_that_end_again_and_again_are_given_up(folder: DataFolder) -> None:
    crashes = CrashLimit()
    for at_s in (0.0, 100.0, 110.0, 120.0, 130.0):
        crashes.record_crash(at_s, folder)

    with pytest.raises(Unreachable, match="supervisor ended"):
        crashes.record_crash(140.0, folder)


def test_another_library_on_the_same_data_folder(settings: Settings, folder: DataFolder, library: Path) -> None:
    keep_identity(Path("/photos/of/somebody"), "an-id", folder)

    with pytest.raises(CollectionMismatch, match=r"belongs to the library /photos/of/somebody: add --rebuild"):
        up(settings, library)


def test_a_broker_that_does_not_answer(tmp_path: Path, library: Path, silent_port: int) -> None:
    settings = read_settings(data=tmp_path / "data", redis_url=f"redis://:secret@127.0.0.1:{silent_port}/0")

    with pytest.raises(Unreachable, match=r"does not answer \(Connection refused\).*REDIS_URL") as told:
        up(settings, library)
    assert "secret" not in str(told.value)


def test_a_store_that_does_not_answer(tmp_path: Path, library: Path, silent_port: int) -> None:
    settings = read_settings(data=tmp_path / "data", qdrant_url=f"http://127.0.0.1:{silent_port}")

    with pytest.raises(Unreachable, match=r"does not answer \(Connection refused\).*QDRANT_URL"):
        up(settings, library)


@pytest.mark.parametrize("given", [{"redis_url": "localhost"}, {"qdrant_url": "localhost:6333"}])
def test_an_address_that_is_none(tmp_path: Path, library: Path, given: dict[str, str]) -> None:
    with pytest.raises(Misconfigured, match=r"write (redis|http)://HOST:PORT"):
        up(read_settings(data=tmp_path / "data", **given), library)


def test_parts_of_an_earlier_up_that_do_not_end(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "LEFTOVERS_S", 0.1)
    folder.parts_lock.touch()

    with (
        hold_lock(folder.parts_lock),
        pytest.raises(Misconfigured, match="Parts of an earlier `lookalike up` still"),
    ):
        preflight.wait_for_leftovers(folder, lambda _: False)
    assert preflight.wait_for_leftovers(folder, lambda _: False)


def test_extras_that_are_not_installed() -> None:
    with pytest.raises(Misconfigured, match=r"pip install 'lookalike\[all\]'"):
        preflight.need_extras(("supervisor", "surely_not_installed"))


def test_down_and_logs_where_nothing_runs_or_ran(settings: Settings) -> None:
    with pytest.raises(NotRunning, match="Nothing is running on"):
        down(settings)
    with pytest.raises(NotRunning, match="nothing ran yet"):
        logs(settings)


def test_logs_of_a_part_that_does_not_exist(settings: Settings) -> None:
    with pytest.raises(Misconfigured, match=r"no part 'brokr': choose one of broker, store"):
        logs(settings, "brokr")


def test_a_refused_start_binds_the_data_folder_to_no_library(
    settings: Settings, library: Path, silent_port: int
) -> None:
    with pytest.raises(Unreachable):
        up(settings.model_copy(update={"qdrant_url": f"http://127.0.0.1:{silent_port}"}), library)

    assert settings.data is not None
    assert owned_by(DataFolder(settings.data)).root is None


def test_a_broker_that_is_one_of_a_cluster(tmp_path: Path, library: Path) -> None:
    (tmp_path / "broker").mkdir()
    options = {"cluster_enabled": "yes", "cluster_port": str(free_port())}
    with valkey_process(tmp_path / "broker", **options) as url, pytest.raises(Misconfigured) as refusal:
        up(read_settings(data=tmp_path / "data", redis_url=url), library)

    assert "one of a cluster" in str(refusal.value)
    assert "sentinel://" in str(refusal.value)
