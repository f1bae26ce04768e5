"""What the packaging tests share: the distributions, and an environment with the wheel and without the checkout."""

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD_DEADLINE_S = 60
UV = [sys.executable, "-m", "uv"]


def build(source: Path, target: str, into: Path) -> Path:
    """Builds "wheel" or "sdist" offline, with the installed hatchling; returns the file."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(into)],
        cwd=source,
        check=True,
        capture_output=True,
        timeout=BUILD_DEADLINE_S,
    )
    (built,) = into.iterdir()
    return built


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, "sdist", tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="session")
def unpacked(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the sdist holds."""
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (only,) = folder.iterdir()
    return only


@dataclass(frozen=True)
class Elsewhere:
    """An environment in which the wheel is installed, in a folder far from the checkout."""

    python: Path
    folder: Path

    def run(self, *command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Runs a command there, without anything of ours in its environment."""
        bare = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "LOOKALIKE"))}
        return subprocess.run(
            command, cwd=self.folder, env={**bare, **environment}, check=False, capture_output=True, text=True
        )

    def says(self, statement: str, **environment: str) -> str:
        """What a Python statement prints there. Fails with its traceback."""
        done = self.run(str(self.python), "-c", statement, **environment)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def install(wheel: Path, environment: Path, extras: str = "") -> Path:
    """Makes an empty environment and installs the wheel as anybody would, at the pinned versions; its Python.

    From uv's cache, which `make setup` has filled, else from the index.
    """
    subprocess.run([*UV, "venv", "--quiet", "--python", sys.executable, str(environment)], check=True)
    command = [*UV, "pip", "install", "--quiet", "--python", str(environment / "bin" / "python")]
    command += ["--constraint", str(ROOT / "constraints.txt"), f"{wheel}{extras}"]
    if subprocess.run([*command, "--offline"], check=False, capture_output=True).returncode:
        subprocess.run(command, check=True)
    return environment / "bin" / "python"


def hiding(place: Path) -> list[str]:
    """What to put before a command so that it finds an empty folder in that place. Skips where that is not allowed."""
    rights = [] if os.getuid() == 0 else ["--user", "--map-root-user"]
    mount = f'mount -t tmpfs none {shlex.quote(str(place))} && exec "$@"'
    command = [shutil.which("unshare") or "unshare", *rights, "--mount", "sh", "-c", mount, "sh"]
    try:
        subprocess.run([*command, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no mount namespaces here, so that the checkout cannot be hidden ({error})")
    return command


@pytest.fixture(scope="session")
def elsewhere(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Elsewhere:
    """The third parties are ours by a .pth file, which is read without the .pth files in that folder: no checkout."""
    folder = tmp_path_factory.mktemp("elsewhere")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "env")], check=True)
    python = folder / "env" / "bin" / "python"
    places = {"base": str(folder / "env"), "platbase": str(folder / "env")}
    Path(sysconfig.get_path("purelib", "venv", places), "third_parties.pth").write_text(sysconfig.get_path("purelib"))
    command = [*UV, "pip", "install", "--quiet", "--offline", "--no-deps"]
    subprocess.run([*command, "--python", str(python), str(wheel)], check=True)
    return Elsewhere(python, folder)
