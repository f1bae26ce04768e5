"""Every command and every Python block of the README and the documents is executed, or says why not.

One system runs meanwhile: the one that the README's first block starts, from the built wheel in an empty environment,
with the checkout out of reach.
"""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.packaging.blocks import LANGUAGES, Block, blocks_of
from tests.packaging.conftest import ROOT, hiding, install
from tests.support.waiting import wait_until

DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCKS = [block for document in DOCUMENTS for block in blocks_of(document)]
CODE = [block for block in BLOCKS if block.language != "text" and block.not_run is None]
TOUR, RUNS_NOTEBOOKS = ROOT / "docs" / "tour.ipynb", Path(__file__).with_name("notebook.py")
SHORTEST_REASON = 20
INDEXED_WITHIN_S = 240.0
STOPS_WITHIN_S = 30.0
RUNS_WITHIN_S = 240.0
BASH = shutil.which("bash") or "bash"
NODE = shutil.which("node")


@dataclass(frozen=True)
class Newcomer:
    """Somebody in a folder of their own who has the wheel with everything, in a `.venv`, and no checkout."""

    folder: Path
    environment: dict[str, str]
    elsewhere: list[str]

    def types(self, *command: str, code: str | None = None) -> "subprocess.CompletedProcess[str]":
        """Runs a command there, which reads the code."""
        return subprocess.run(
            [*self.elsewhere, *command], cwd=self.folder, env=self.environment, input=code,
            capture_output=True, text=True, timeout=RUNS_WITHIN_S, check=False,
        )  # fmt: skip

    def run(self, block: Block) -> "subprocess.CompletedProcess[str]":
        """Types what the block says."""
        programs = {
            "python": [".venv/bin/python", "-W", "error", "-"],
            "js": [NODE or "node", "--input-type=module", "-"],
            "sh": [BASH, "-euo", "pipefail", "-s"],
        }
        return self.types(*programs[block.language], code=block.code)


@pytest.fixture(scope="module")
def newcomer(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    """Beside the system that the README's first block starts."""
    folder = tmp_path_factory.mktemp("newcomer")
    elsewhere = hiding(ROOT)
    install(wheel, folder / ".venv", "[all]")
    # What `make` looks at before it would make `.venv` anew.
    for name in ("Makefile", "constraints.txt", "pyproject.toml"):
        shutil.copy2(ROOT / name, folder)
    shutil.copytree(ROOT / "examples", folder / "examples")
    (folder / ".venv" / ".ready").touch()
    strange = ("LOOKALIKE", "REDIS", "QDRANT", "PYTHON")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(strange)}
    home = {"XDG_DATA_HOME": str(folder / "home"), "TMPDIR": str(folder)}
    newcomer = Newcomer(folder, kept | home | {"PATH": f"{folder / '.venv/bin'}:{kept['PATH']}"}, elsewhere)
    (first,) = [block for block in BLOCKS if block.stays]
    with (folder / "up.out").open("w") as said:
        up = subprocess.Popen(
            [*elsewhere, BASH, "-c", first.code], cwd=folder, env=newcomer.environment,
            stdout=said, stderr=said, process_group=0,
        )  # fmt: skip
    try:
        _wait_for(" indexed 36 ", folder / "up.out", up)
        status = json.loads(newcomer.types("lookalike", "status", "--json").stdout)
        yield replace(newcomer, environment=newcomer.environment | {"GALLERY": status["web_url"]})
    finally:
        os.killpg(up.pid, signal.SIGTERM)
        up.wait(STOPS_WITHIN_S)


def test_each_block_says_what_it_is_and_what_is_not_run_says_why() -> None:
    assert [str(block) for block in BLOCKS if block.language not in LANGUAGES] == []
    assert [str(block) for block in BLOCKS if block.not_run is not None and len(block.not_run) < SHORTEST_REASON] == []


@pytest.mark.parametrize("block", [block for block in CODE if not block.stays], ids=str)
def test_what_is_written_works(newcomer: Newcomer, block: Block) -> None:
    if block.language == "js" and NODE is None:
        pytest.skip("there is no node here to run it")
    done = newcomer.run(block)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip()


def test_the_first_search_finds_houses_by_a_house(newcomer: Newcomer) -> None:
    (python, *_) = [block for block in CODE if block.language == "python"]

    paths = re.findall(r"\S+\.jpg", newcomer.run(python).stdout)

    assert paths[0] == "houses/houses-3.jpg"
    assert sum(path.startswith("houses/") for path in paths) >= len(paths) - 1


def test_the_tour_is_run_from_its_first_cell_to_its_last(newcomer: Newcomer) -> None:
    notebook = json.loads(TOUR.read_text("utf-8"))
    page = newcomer.folder / "tour.html"

    done = newcomer.types(
        *(".venv/bin/python", "-W", "error", "-", str(shutil.copy(TOUR, newcomer.folder)), str(page)),
        code=RUNS_NOTEBOOKS.read_text("utf-8"),
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("36 images of ")
    shown = page.read_text("utf-8")
    # Of 6 neighbours, 4 and 4 by the filter, 6 and 6 of two examples, 3 by copy and 3 of that piece by the embedding.
    assert shown.count('<img alt="') == 32
    by_copy = shown.partition("by=&quot;copy&quot;")[2]
    assert re.findall(r'<img alt="([^"]+)"', by_copy)[0] == "balloons/balloons-5.jpg"
    assert "Nothing is similar enough" in shown
    assert "PngImageFile" in shown
    assert not any(cell.get("outputs") for cell in notebook["cells"])


def test_nothing_of_the_checkout_is_reached(newcomer: Newcomer) -> None:
    assert newcomer.types("ls", "-A", str(ROOT)).stdout == ""
    assert str(newcomer.folder) in newcomer.types(".venv/bin/python", "-c", "import lookalike; print(lookalike)").stdout


def test_the_wheel_without_extras_searches_beside_it(newcomer: Newcomer, wheel: Path, tmp_path: Path) -> None:
    """What a web application installs: it finds the system, and asks it."""
    python = install(wheel, tmp_path / "environment")
    shutil.copy(newcomer.folder / "photos" / "houses" / "houses-3.jpg", newcomer.folder / "cat.jpg")
    code = 'from lookalike import Client\nprint(Client().search("cat.jpg").result(timeout_s=10)[0].path)'

    done = newcomer.types(str(python), "-W", "error", "-c", code)
    doctor = newcomer.types(str(python.with_name("lookalike")), "doctor")

    assert done.stdout == "houses/houses-3.jpg\n", done.stderr
    assert doctor.returncode == 0, doctor.stdout
    missing = doctor.stdout.partition("not installed: ")[2].partition("\n")[0]
    assert "onnxruntime" in missing, doctor.stdout


def test_a_client_works_where_there_are_no_locks_and_up_says_what_to_use(newcomer: Newcomer, tmp_path: Path) -> None:
    """Windows, as far as Python can play it: what is missing there is taken from us, not from Celery, which knows."""
    url = newcomer.types(
        ".venv/bin/python", "-c", "from lookalike import Client; print(Client().settings.redis_url.get_secret_value())"
    )
    theirs = "import os, signal, sys, celery.app.base, celery.backends.redis, kombu.transport.redis\n"
    windows = theirs + "sys.modules['fcntl'] = None; del os.getuid, signal.SIGHUP, signal.SIGKILL\n"
    ask = 'from lookalike import Client\nprint(Client().search("houses/houses-3.jpg").result(timeout_s=10)[0].path)\n'
    up = 'sys.argv[1:] = ["up", "photos"]\nfrom lookalike.cli import main\nmain()\n'
    there = replace(
        newcomer, environment=newcomer.environment | {"XDG_DATA_HOME": str(tmp_path), "REDIS_URL": url.stdout.strip()}
    )

    done = there.types(".venv/bin/python", "-c", windows + ask + up)

    assert done.stdout == "houses/houses-3.jpg\n", done.stderr
    assert done.returncode == 1
    assert "WSL2" in done.stderr
    assert "Traceback" not in done.stderr


def _wait_for(words: str, file: Path, process: "subprocess.Popen[bytes]") -> None:
    wait_until(lambda: words in file.read_text() or process.poll() is not None, INDEXED_WITHIN_S, told=file.read_text)
    assert words in file.read_text(), file.read_text()
