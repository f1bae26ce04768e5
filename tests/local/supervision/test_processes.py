"""Which programs run, with which environment, and the configuration of supervisord."""

import os
import shlex
import tempfile
from configparser import RawConfigParser
from pathlib import Path

import pytest

from lookalike.errors import Misconfigured
from lookalike.local.folders.data_version import bring_forward
from lookalike.local.folders.library_identity import Owned, identity_of, keep_identity, owned_by
from lookalike.local.servers.addresses import choose_addresses, resolve_settings
from lookalike.local.servers.embedded import embedded_password
from lookalike.local.supervision.processes import (
    Ports,
    ProcessSpec,
    prepare_command,
    process_environment,
    process_specs,
)
from lookalike.local.supervision.supervisor import supervisor_conf
from lookalike.settings import read_settings
from lookalike.system.data_folder import DataFolder
from lookalike.system.parts import PART_NAMES
from lookalike.system.runtime_dir import MAX_SOCKET_BYTES, ports_folder, socket_of

ALL = Ports(broker=1, store=2, flower=3, web=4)


def first_choice(first: int, host: str = "") -> int:
    """Every port is free everywhere."""
    assert host is not None
    return first


def test_all_parts_run_unless_servers_are_given() -> None:
    names = [part.name for part in process_specs(read_settings(), ALL)]
    with_servers = [
        part.name for part in process_specs(read_settings(), Ports(broker=None, store=None, flower=3, web=4))
    ]

    assert tuple(names) == PART_NAMES
    assert with_servers == ["ingest", "search", "duplicates", "producer", "flower", "web"]


def test_the_store_is_told_when_to_build_an_index() -> None:
    store = next(part for part in process_specs(read_settings(hnsw_threshold=7), ALL) if part.name == "store")

    assert store.command[-2:] == ["--hnsw-threshold", "7"]


def test_there_are_as_many_ingest_processes_as_set_and_they_are_named_for_their_queues() -> None:
    ingest, search = (
        part
        for part in process_specs(read_settings(ingest_processes=7, name="mine"), ALL)
        if part.name.endswith(("st", "ch"))
    )

    assert " --concurrency 7 --queues mine:ingest,mine:rescan --hostname ingest@%h.mine " in " ".join(ingest.command)
    assert " --concurrency 1 --queues mine:search,mine:thumbnails --hostname search@%h.mine " in " ".join(
        search.command
    )


def test_the_application_stops_before_its_backing_services(folder: DataFolder) -> None:
    conf = RawConfigParser()
    conf.read_string(supervisor_conf(folder, process_specs(read_settings(), ALL)))

    assert conf["group:backing"]["programs"] == "broker,store"
    assert conf["group:app"]["programs"] == "ingest,search,duplicates,producer,flower,web"
    # supervisord stops the highest priority first.
    assert conf.getint("group:app", "priority") > conf.getint("group:backing", "priority")


def test_a_command_reaches_its_program_word_for_word(folder: DataFolder) -> None:
    words = ["/a b/c", "#1 ; %x", 'it\'s "é" \\ $HOME']
    conf = RawConfigParser(inline_comment_prefixes=(";", "#"))

    conf.read_string(supervisor_conf(folder, [ProcessSpec("store", "backing", words)]))

    assert shlex.split(conf["program:store"]["command"] % {})[-3:] == words


def test_every_setting_reaches_the_parts_as_up_understood_it(tmp_path: Path) -> None:
    settings = read_settings(library=tmp_path, ignore="raw/*,*.draft.jpg", polling=True, inference_batch=4)

    environment = process_environment(settings, {})

    for name, value in environment.items():
        assert isinstance(value, str), name
    assert environment["LOOKALIKE_IGNORE"] == "raw/*,*.draft.jpg"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        assert read_settings() == settings


def test_what_would_mislead_celery_or_open_flower_does_not_reach_the_parts() -> None:
    environment = process_environment(
        read_settings(),
        {
            "CELERY_BROKER_URL": "redis://elsewhere",
            "CELERY_LOADER": "x",
            "CELERY_CONFIG_MODULE": "x",
            "FLOWER_UNAUTHENTICATED_API": "1",
            "NO_PROXY": "intranet",
        }
        | {"PYTHONWARNINGS": "error", "PYTHONINSPECT": "1"},
    )

    assert not {"PYTHONWARNINGS", "PYTHONINSPECT"} & environment.keys()
    assert (
        not {
            "CELERY_BROKER_URL",
            "CELERY_LOADER",
            "CELERY_CONFIG_MODULE",
            "FLOWER_UNAUTHENTICATED_API",
            "FLOWER_BASIC_AUTH",
        }
        & environment.keys()
    )
    assert environment["NO_PROXY"] == "intranet,127.0.0.1,localhost,::1"


def test_flowers_password_travels_by_environment() -> None:
    environment = process_environment(read_settings(flower_auth="ann:secret"), {})

    assert environment["LOOKALIKE_FLOWER_AUTH"] == "ann:secret"


def test_a_model_file_is_named_so_that_the_parts_find_it(
    folder: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def model_as_told(model: str) -> str:
        settings = read_settings(model=model, redis_url="redis://b", qdrant_url="http://s")
        return resolve_settings(
            settings, folder, choose_addresses(settings, folder, first_choice), tmp_path, "id"
        ).model

    assert model_as_told("mine.onnx") == str(tmp_path / "mine.onnx")
    assert model_as_told("resnet") == "resnet"


def test_flower_on_all_addresses_is_visited_on_loopback(folder: DataFolder) -> None:
    servers = {"redis_url": "redis://b", "qdrant_url": "http://s"}

    def flower_url(host: str) -> str:
        settings = read_settings(flower_host=host, **servers)
        return choose_addresses(settings, folder, first_choice).flower_url

    assert flower_url("0.0.0.0") == "http://127.0.0.1:5555"  # noqa: S104 (nothing binds it)
    assert flower_url("::1") == "http://[::1]:5555"
    assert flower_url("192.168.1.7") == "http://192.168.1.7:5555"


def test_the_brokers_password_is_made_once(folder: DataFolder) -> None:
    password = embedded_password(folder)

    assert len(password) >= 40
    assert embedded_password(folder) == password


@pytest.mark.parametrize("temporary", ["t", "t" * MAX_SOCKET_BYTES])
def test_the_socket_of_a_deep_data_folder_has_a_short_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, temporary: str
) -> None:
    (tmp_path / temporary).mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / temporary))
    deep = DataFolder(tmp_path / ("x" * MAX_SOCKET_BYTES))

    path = socket_of(deep)

    assert not path.is_relative_to(deep.root)
    assert len(os.fsencode(path)) <= MAX_SOCKET_BYTES
    assert path == socket_of(DataFolder(deep.root))
    assert path.parent.stat().st_mode & 0o077 == 0


def test_all_systems_of_a_user_reserve_ports_in_one_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = set()
    for name in ("one", "another"):
        (tmp_path / name).mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / name))
        places.add(ports_folder())

    assert len(places) == 1


def test_a_library_keeps_its_id_and_another_one_gets_a_new_one_by_rebuild(folder: DataFolder) -> None:
    photos, others = Path("/photos"), Path("/others")
    known = identity_of(photos, folder, rebuild=False)
    keep_identity(photos, known, folder)

    assert identity_of(photos, folder, rebuild=False) == known
    assert identity_of(photos, folder, rebuild=True) == known
    assert identity_of(others, folder, rebuild=True) != known


@pytest.mark.parametrize(("name", "is_told"), [("100%", True), ("a b", False), ("x;y", False), ("caf\udce9", False)])
def test_a_socket_in_an_odd_temporary_folder_is_told_to_supervisord_or_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_told: bool
) -> None:
    # A short one: in a deep one no socket would lie.
    monkeypatch.setattr("tempfile.tempdir", "/tmp")  # noqa: S108 (removed below)
    with tempfile.TemporaryDirectory(suffix=name) as temporary:
        monkeypatch.setattr("tempfile.tempdir", temporary)
        _check_told(DataFolder(tmp_path / ("d" * MAX_SOCKET_BYTES)), is_told=is_told)


def _check_told(folder: DataFolder, *, is_told: bool) -> None:

    if not is_told:
        with pytest.raises(Misconfigured, match="set TMPDIR"):
            supervisor_conf(folder, [])
        return
    conf = RawConfigParser()
    conf.read_string(supervisor_conf(folder, []))
    assert conf["unix_http_server"]["file"] % {} == str(socket_of(folder))


def test_an_id_is_known_as_the_data_folders_own_before_anything_is_made_for_it(folder: DataFolder) -> None:
    """A start that is cut off leaves no index that nobody may drop, and binds the data folder to no library."""
    photos, others = Path("/photos"), Path("/others")

    first = identity_of(photos, folder, rebuild=False)

    assert owned_by(folder).root is None
    assert identity_of(photos, folder, rebuild=False) == first
    second = identity_of(others, folder, rebuild=False)
    keep_identity(others, second, folder)
    assert owned_by(folder) == Owned(str(others), second, {first: str(photos), second: str(others)})


def test_a_library_that_comes_back_has_its_old_id(folder: DataFolder) -> None:
    photos, others = Path("/photos"), Path("/others")
    keep_identity(photos, "an-id", folder)
    keep_identity(others, identity_of(others, folder, rebuild=True), folder)

    assert identity_of(photos, folder, rebuild=True) == "an-id"


def test_an_id_that_somebody_names_is_taken(folder: DataFolder) -> None:
    assert identity_of(Path("/photos"), folder, rebuild=False, given="from-before") == "from-before"


def test_a_data_folder_of_an_earlier_version_is_understood(folder: DataFolder) -> None:
    folder.identity.write_text('{"root": "/photos", "id": "an-id"}')

    bring_forward(folder)

    assert owned_by(folder) == Owned("/photos", "an-id", {"an-id": "/photos"})


def test_the_check_before_the_application_gets_the_ids_of_former_libraries() -> None:
    assert prepare_command(rebuild=True, former_ids=["-a", "b"])[-3:] == [
        "--rebuild",
        "--former-id=-a",
        "--former-id=b",
    ]
    assert prepare_command(rebuild=False, begins_second=True)[-1] == "--second"
