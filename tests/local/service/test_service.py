"""A unit that systemd's own checker accepts, for folders of every name; written and removed where it is asked to be."""

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lookalike.local.service.unit import Service, is_for
from tests.support.commands import typed

analyze = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
HOSTILE = "odd % $HOME ${X} `id` 'a' \"q\" \\n é;# %h"
SOMEBODY = pwd.getpwuid(os.getuid()).pw_name if os.getuid() else "daemon"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "Photos 2024"
    folder.mkdir()
    return folder


def service(tmp_path: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """What `lookalike service` prints; its units are in a folder of the test, as is all that a user has."""
    environment = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "XDG_DATA_HOME": str(tmp_path / "share")}
    return typed("service", *words, cwd=tmp_path, environment=environment)


def verified(file: Path, manager: str) -> str:
    """What systemd's checker has to say of a unit."""
    done = subprocess.run(
        ["systemd-analyze", "verify", f"--{manager}", str(file)],  # noqa: S607 (from where Debian puts it)
        env={**os.environ, "XDG_RUNTIME_DIR": str(file.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr + (f"exit code {done.returncode}" if done.returncode else "")


@analyze
@pytest.mark.parametrize("name", ["photos", HOSTILE])
@pytest.mark.parametrize("more", [(), ("--data", "data")], ids=["usual", "data"])
@pytest.mark.parametrize("manager", ["user", "system"])
def test_systemd_has_nothing_to_say_of_the_unit(manager: str, more: tuple[str, ...], name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    who = ("--run-as", SOMEBODY) if manager == "system" else ()

    done = service(tmp_path, "install", name, f"--{manager}", *who, *more, "--into", "units")

    assert done.returncode == 0, done.stderr
    (file,) = (tmp_path / "units").iterdir()
    assert verified(file, manager) == ""


@analyze
def test_the_checker_would_find_what_is_wrong(tmp_path: Path, photos: Path) -> None:
    service(tmp_path, "install", str(photos), "--into", "units")
    (file,) = (tmp_path / "units").iterdir()
    file.write_text(file.read_text().replace("WatchdogSec=60", "WatchdogSec=soon"))

    assert "Failed to parse" in verified(file, "user")


def test_each_word_of_the_command_reaches_the_program_as_it_is() -> None:
    unit = Service(
        "lookalike-x", (Path(f"/{HOSTILE}"), Path("/b")), Path("/d$"), (sys.executable, "-m", "lookalike")
    ).text()

    (command,) = [line.removeprefix("ExecStart=") for line in unit.splitlines() if line.startswith("ExecStart=")]
    # systemd.service(5) and systemd.unit(5): $$ is $, %% is %, and a backslash stands before itself and a quote.
    words = [
        word.replace("$$", "$").replace("%%", "%").replace('\\"', '"').replace("\\\\", "\\") for word in split(command)
    ]
    assert words == [sys.executable, "-m", "lookalike", "up", f"/{HOSTILE}", "/b", "--data", "/d$"]


def split(command: str) -> list[str]:
    """Words in double quotes, escapes as they are."""
    words = command.removeprefix('"').removesuffix('"').split('" "')
    assert not any(word.replace('\\"', "").count('"') for word in words)
    return words


@analyze
def test_several_folders_are_one_service_and_a_bucket_needs_no_mount(tmp_path: Path, photos: Path) -> None:
    (tmp_path / "scans").mkdir()
    service(tmp_path, "install", str(photos), "scans", "--into", "units")
    service(tmp_path, "install", "s3://bucket/pictures", "--into", "units")
    bucket, folders = (tmp_path / "units" / f"lookalike-{name}.service" for name in ("pictures", "photos-2024"))

    assert [verified(file, "user") for file in (bucket, folders)] == ["", ""]
    assert f'RequiresMountsFor="{photos}" "{tmp_path / "scans"}"' in folders.read_text()
    assert '"up" "s3://bucket/pictures" "--data"' in bucket.read_text()
    assert "RequiresMountsFor" not in bucket.read_text()
    assert service(tmp_path, "uninstall", "scans", "--into", "units").returncode == 0
    assert not folders.exists()
    assert "name it alone" in service(tmp_path, "show", "s3://bucket/pictures", str(photos)).stderr


def test_the_unit_is_notified_watched_and_ends_in_order(tmp_path: Path, photos: Path) -> None:
    unit = service(tmp_path, "show", str(photos)).stdout.splitlines()

    for line in ("Type=notify", "NotifyAccess=main", "WatchdogSec=60", "KillMode=mixed", "Restart=on-failure"):
        assert line in unit
    assert "NoNewPrivileges=yes" in unit
    assert "WantedBy=default.target" in unit
    assert not list(tmp_path.glob("config/**/*.service"))


def test_a_service_of_a_user_is_written_where_systemd_looks_and_removed_again(tmp_path: Path, photos: Path) -> None:
    written = service(tmp_path, "install", str(photos))
    file = tmp_path / "config" / "systemd" / "user" / "lookalike-photos-2024.service"
    again = service(tmp_path, "install", str(photos))

    assert (written.returncode, again.returncode) == (0, 0)
    assert str(file) in written.stdout
    assert "systemctl --user enable --now lookalike-photos-2024.service" in written.stdout
    assert is_for(file.read_text(), [photos])

    removed = service(tmp_path, "uninstall", str(photos))

    assert removed.returncode == 0
    assert not file.exists()
    assert "There is no service for" in service(tmp_path, "uninstall", str(photos)).stderr


def test_a_unit_that_is_enabled_or_of_somebody_else_stays(tmp_path: Path, photos: Path) -> None:
    units = tmp_path / "units"
    service(tmp_path, "install", str(photos), "--into", "units")
    (units / "default.target.wants").mkdir()
    link = units / "default.target.wants" / "lookalike-photos-2024.service"
    link.symlink_to(units / link.name)

    assert (
        "disable --now lookalike-photos-2024.service"
        in service(tmp_path, "uninstall", str(photos), "--into", "units").stderr
    )

    (units / link.name).write_text("[Service]\nExecStart=/bin/true\n")
    refused = service(tmp_path, "install", str(photos), "--into", "units")
    assert "choose another name with --name" in refused.stderr
    assert service(tmp_path, "install", str(photos), "--into", "units", "--name", "pictures").returncode == 0
    assert (units / "pictures.service").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("nowhere",), "is no folder"),
        ((".", "--user", "--system"), "two services"),
        ((".", "--run-as", "ann"), "leave out --run-as"),
        ((".", "--system", "--run-as", "nobody-of-this-name"), "There is no user"),
        (("s3://bucket/pictures", "--system"), "has no owner here"),
        (("a\nb",), "systemd cannot be told the name"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(words: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    (tmp_path / "a\nb").mkdir()

    done = service(tmp_path, "install", *words, "--into", "units")

    assert done.returncode == 1
    assert sentence in done.stderr
    assert not (tmp_path / "units").exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root owns root's folders")
def test_a_service_of_the_machine_is_not_root_by_itself(tmp_path: Path, photos: Path) -> None:
    assert "--run-as" in service(tmp_path, "install", str(photos), "--system", "--into", "units").stderr
    shutil.chown(photos, "daemon")
    assert "User=daemon\n" in service(tmp_path, "show", str(photos), "--system").stdout
