"""What real programs do to files, replayed before a real producer: the index follows, and no temporary name is sent.

The histories were recorded by tests/producer/histories/record.py.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lookalike.library.version import version_of
from lookalike.settings import Settings
from producer.service import Service
from tests.producer.conftest import Rest, producing
from tests.producer.files import draw_old
from tests.producer.histories.replay import Replay, histories
from tests.producer.other_side import OtherSide
from tests.support.waiting import wait_until


@pytest.fixture(autouse=True)
def service(settings: Settings, library: Path, side: OtherSide, rest: Rest) -> Iterator[Service]:  # noqa: ARG001
    draw_old(library / "first.jpg")
    with producing(settings) as running:
        rest()
        yield running


@pytest.fixture
def replays(library: Path, side: OtherSide, tmp_path: Path) -> dict[str, Replay]:
    """All of them, each in a folder of its own, with what was there before in the index."""
    found = {name: Replay(lines, library / name, tmp_path / name) for name, lines in histories().items()}
    for replay in found.values():
        replay.prepare()
    wait_until(lambda: not differing(library, side), 5, told=lambda: sorted(differing(library, side)))
    return found


def differing(library: Path, side: OtherSide, *, whole: bool = True) -> set[str]:
    """Paths that the index does not have in the version that they have now, or that only the index has.

    Not `whole`: by size and time alone. A second name for a file changes its version, and no event tells that.
    """
    files = {
        path: _version(file.version, file.size_bytes, file.mtime_ns, whole=whole) for path, file in side.files.items()
    }
    found = {path: version_of(file.stat()) for path, file in visible(library).items()}
    now = {path: _version(*version[:3], whole=whole) for path, version in found.items()}
    return {path for path, _ in files.items() ^ now.items()}


def _version(token: str, size_bytes: int, mtime_ns: int, *, whole: bool) -> object:
    return token if whole else (size_bytes, mtime_ns)


def visible(library: Path) -> dict[str, Path]:
    """The files that people see: no name on the way to them begins with a dot."""
    found: dict[str, Path] = {}
    for folder, folders, names in os.walk(library):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files = (Path(folder, name) for name in names if name.endswith(".jpg") and not name.startswith("."))
        found |= {file.relative_to(library).as_posix(): file for file in files if file.is_file()}
    return found


def temporary(replays: dict[str, Replay], before: dict[str, Path], library: Path, side: OtherSide) -> list[str]:
    """Paths that were sent and are gone, and that neither were there before nor are named in the command."""
    gone = set(side.sent_paths) - before.keys() - visible(library).keys()
    return [
        path for path in gone if not all(part in replays[path.split("/")[0]].command for part in path.split("/")[1:])
    ]


def at_once(replays: dict[str, Replay], _wait: Callable[[], object]) -> None:
    for replay in replays.values():
        list(replay.steps())


def step_by_step(replays: dict[str, Replay], wait: Callable[[], object]) -> None:
    """All programs at the same time; the index follows each step before the next one is made."""
    running = {name: replay.steps() for name, replay in replays.items()}
    while running:
        running = {name: steps for name, steps in running.items() if next(steps, False) is None}
        wait()


@pytest.mark.parametrize("pace", [at_once, step_by_step])
def test_the_index_follows_what_programs_do(
    replays: dict[str, Replay], library: Path, side: OtherSide, pace: Callable[..., None]
) -> None:
    before = visible(library)

    def wait(*, whole: bool = False) -> None:
        def wrong() -> set[str]:
            return differing(library, side, whole=whole)

        wait_until(lambda: not wrong(), 10, told=lambda: sorted(wrong()))

    pace(replays, wait)

    wait(whole=True)
    assert len(replays) >= 20
    assert temporary(replays, before, library, side) == []
