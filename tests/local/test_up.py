"""`up` as a process: real supervisord, real Valkey, real signals; small programs in place of the services."""

import fcntl
import os
import pty
import signal
import stat
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from redis.exceptions import RedisError

from lookalike.broker.address import without_secret
from lookalike.broker.app import redis_of
from lookalike.errors import Misconfigured
from lookalike.local import down, up
from lookalike.local.folders.library_identity import owned_by
from lookalike.local.servers.reachable import ask_broker, ask_store
from lookalike.settings import read_settings
from lookalike.system.discovery import find_running, with_running
from tests.local.conftest import STARTS_WITHIN_S, STOPS_WITHIN_S, Machine
from tests.support.edge import edge_process
from tests.support.valkey import valkey_process
from tests.support.waiting import wait_until

SECRET = "ann:not-for-everybody"
# A pattern, an option, a format, an expansion, a comment and a quotation, for a program that parses a name.
HOSTILE = "-c [2024] *? {0} %(here)s %d #1 ;x $HOME `id` 'a' \"b\" \\ é"
NO_TEXT = os.fsdecode(b"-caf\xe9\n[x]")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """One running system for the tests that leave it running."""
    machine = Machine(tmp_path_factory.mktemp("machine"), name=HOSTILE)
    machine.start(machine.small("--also", "flower"), LOOKALIKE_FLOWER_AUTH=SECRET)
    yield machine
    machine.clear()


def test_other_commands_find_the_running_system_by_its_data_folder(shared: Machine) -> None:
    settings = with_running(read_settings(data=shared.folder.root))

    assert settings.library == shared.library
    with redis_of(settings) as redis:
        assert redis.ping()


def test_other_commands_find_the_only_running_system_without_being_told(
    shared: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(shared.tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))

    running = find_running(read_settings())

    assert running is not None
    assert running.data == shared.folder.root


def test_the_broker_asks_for_its_password(shared: Machine) -> None:
    assert shared.running is not None

    with pytest.raises(Misconfigured, match="refuses the password"):
        ask_broker(without_secret(shared.running.redis_url))


def test_no_secret_is_in_any_command_line_or_readable_by_others(shared: Machine) -> None:
    password = shared.folder.password.read_text()

    commands = [" ".join(command) for command in shared.processes().values()]
    modes = [stat.S_IMODE(path.lstat().st_mode) for path in [shared.folder.root, *shared.folder.root.rglob("*")]]

    assert len(commands) >= 6
    assert not any(secret in command for command in commands for secret in (password, SECRET))
    assert not any(mode & 0o077 for mode in modes)


def test_a_second_up_on_the_same_data_folder_is_refused_with_the_remedy(shared: Machine) -> None:
    assert shared.process is not None

    with pytest.raises(Misconfigured, match=rf"already runs on .* \(pid {shared.process.pid}\).*lookalike down"):
        up(read_settings(data=shared.folder.root), shared.library)


def test_a_killed_part_is_started_again_and_its_children_are_gone(shared: Machine) -> None:
    wait_until(lambda: shared.pids("child") and shared.pids("tied"), STARTS_WITHIN_S)
    (victim,) = shared.pids("child")
    (child,) = shared.pids("tied")

    os.kill(victim, signal.SIGKILL)

    def is_replaced() -> bool:
        # A forked child carries its parent's command line until it begins its own program.
        parents, children = shared.pids("child"), shared.pids("tied")
        return len(parents) == len(children) == 1 and parents != [victim] and children != [child]

    wait_until(is_replaced, STARTS_WITHIN_S)


def test_a_killed_broker_comes_back_with_what_it_held(shared: Machine) -> None:
    with redis_of(with_running(read_settings(data=shared.folder.root))) as redis:
        redis.set("kept", "yes")
        redis.execute_command("WAITAOF", 1, 0, 2000)
        os.kill(redis.info("server")["process_id"], signal.SIGKILL)
    settings = with_running(read_settings(data=shared.folder.root))

    def comes_back() -> bool:
        with suppress(RedisError), redis_of(settings) as again:
            return bool(again.get("kept") == b"yes")
        return False

    wait_until(comes_back, STOPS_WITHIN_S)


def test_a_data_folder_may_have_any_name_that_a_folder_can_have(machine: Machine) -> None:
    odd = Machine(machine.tmp_path, name=NO_TEXT)

    try:
        running = odd.start()
        with redis_of(with_running(read_settings(data=odd.folder.root))) as redis:
            assert redis.config_get("appendonly") == {"appendonly": "yes"}
        assert running.data == odd.folder.root
        assert odd.log("broker")
    finally:
        odd.clear()


def test_two_systems_run_side_by_side_on_ports_of_their_own(shared: Machine) -> None:
    other = Machine(shared.tmp_path, name="other")

    try:
        theirs, ours = other.start(), shared.running
        assert ours is not None
        urls = [url for it in (ours, theirs) for url in (it.redis_url, it.qdrant_url, it.flower_url)]
        assert len({urlsplit(url).port for url in urls}) == 6
    finally:
        other.clear()


def test_ctrl_c_in_a_terminal_stops_everything_even_a_part_that_will_not(machine: Machine) -> None:
    terminal, its_end = pty.openpty()
    machine.process = subprocess.Popen(
        machine.small("--search", "stubborn"),
        env=machine.environment(),
        stdin=its_end,
        stdout=its_end,
        stderr=its_end,
        start_new_session=True,
        preexec_fn=lambda: _control(its_end),  # noqa: PLW1509 (no threads here)
    )
    os.close(its_end)
    shown = ""
    while "indexed 2" not in shown:
        shown += os.read(terminal, 4096).decode()
    wait_until(lambda: "stubborn began" in machine.log("search"), STARTS_WITHIN_S)

    os.write(terminal, b"\x03")
    began = time.monotonic()
    code = machine.ended()

    assert time.monotonic() - began < STOPS_WITHIN_S
    assert code == 0
    assert machine.processes() == {}
    assert not machine.folder.running.exists()
    assert "discovered 3 · indexed 2 · rejected 1 · 85/s · ETA 1 s · Flower" in shown
    os.close(terminal)


def test_a_closed_terminal_stops_everything(machine: Machine) -> None:
    machine.start()

    machine.send(signal.SIGHUP)

    assert machine.ended() == 0
    assert machine.processes() == {}


def test_up_prints_the_error_of_the_check_before_the_application(machine: Machine) -> None:
    machine.begin(machine.small("--prepare", "import sys; sys.exit('The model is broken: export it again.')"))

    code = machine.ended(STARTS_WITHIN_S)

    assert code == 1
    assert machine.output.read_text().splitlines()[-1] == "Misconfigured: The model is broken: export it again."
    assert machine.processes() == {}
    assert owned_by(machine.folder).root is None


def test_without_a_password_flower_shows_its_page_and_keeps_its_api_shut(machine: Machine) -> None:
    running = machine.start(machine.small("--also", "flower"), FLOWER_UNAUTHENTICATED_API="true")

    wait_until(lambda: answer_code(running.flower_url) == HTTPStatus.OK, STARTS_WITHIN_S)
    assert answer_code(f"{running.flower_url}/api/tasks") == HTTPStatus.UNAUTHORIZED


def test_the_gallery_is_opened_once_it_answers(machine: Machine, tmp_path: Path) -> None:
    opened = tmp_path / "opened"

    running = machine.start(machine.small("--also", "web", "--open", str(opened)))

    assert running.web_url is not None
    wait_until(opened.exists, STARTS_WITHIN_S)
    assert opened.read_text() == running.web_url
    assert f"Gallery  {running.web_url}" in machine.output.read_text()
    assert answer_code(f"{running.web_url}/healthz") == HTTPStatus.OK


def test_servers_that_are_given_are_used_and_left_alone(machine: Machine, tmp_path: Path) -> None:
    with valkey_process(tmp_path) as broker, edge_process(tmp_path / "given") as store:
        running = machine.start(REDIS_URL=broker, QDRANT_URL=store.url)
        machine.send(signal.SIGTERM)

        assert machine.ended() == 0
        assert (running.redis_url, running.qdrant_url) == (broker, store.url)
        assert not (machine.folder.logs / "broker.log").exists()
        ask_broker(broker)
        ask_store(store.url, None)


def test_down_stops_a_system_that_is_still_starting(machine: Machine) -> None:
    machine.begin(machine.small("--prepare", "import time; time.sleep(60)"))
    wait_until((machine.folder.logs / "prepare.log").exists, STARTS_WITHIN_S)

    down(read_settings(data=machine.folder.root))

    assert machine.ended() == 0
    assert machine.processes() == {}


def answer_code(url: str) -> int:
    """HTTP status of the answer, 0 if nobody listens."""
    try:
        with urlopen(url, timeout=5) as answer:  # noqa: S310 (our own Flower)
            return int(answer.status)
    except HTTPError as error:
        error.close()
        return error.code
    except URLError:
        return 0


def _control(terminal: int) -> None:
    """Makes the pty the controlling terminal, so that Ctrl-C there is a SIGINT."""
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
