"""Library and index agree in the end, whatever happened to the library meanwhile and however messages came.

As Dropbox tests its planner: a tree is changed at random while messages about earlier states are shuffled, repeated and
late. The decisions are the producer's own, what is done is the worker's own, on real files and a real store.
"""

import os
import random
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lookalike.library.folder import FolderLibrary
from lookalike.library.paths import escape_path
from lookalike.library.rules import Candidates
from lookalike.library.version import version_of
from lookalike.messages import SyncMessage
from producer.scanning.planner import ScanPlan
from tests.support.pictures import encoded, picture
from worker.index.qdrant import QdrantIndex
from worker.syncing.sync import StillChanging, Sync

RULES = Candidates(("png",), ignore=("out/",))
CONTENTS = [*(encoded(picture(seed, (16, 12))) for seed in range(3)), b"no picture"]
ROUNDS = 4

PATHS = st.tuples(st.sampled_from(["", "x/", "x/y/", "out/"]), st.sampled_from("abc")).map(
    lambda at: f"{at[0]}{at[1]}.png"
)
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("write"), PATHS, st.integers(0, len(CONTENTS) - 1)),
        st.tuples(st.just("move"), PATHS, PATHS),
        st.tuples(st.just("delete"), PATHS, st.none()),
        # As `cp -p` does: other bytes of the same size under the same time.
        st.tuples(st.just("replace"), PATHS, st.none()),
        st.tuples(st.just("move folder"), st.sampled_from(["x", "x/y", "out"]), st.sampled_from(["x", "z", "out/w"])),
    ),
    max_size=6,
)


def change(root: Path, what: str, path: str, argument: object) -> None:
    """Changes the library; what is impossible now changes nothing."""
    here = root / path
    match what:
        case "write":
            here.parent.mkdir(parents=True, exist_ok=True)
            here.write_bytes(CONTENTS[int(str(argument))])
        case "replace" if here.is_file():
            status, blob = here.stat(), here.read_bytes()
            (root / "new").write_bytes(blob[::-1])
            os.utime(root / "new", ns=(status.st_atime_ns, status.st_mtime_ns))
            (root / "new").rename(here)
        case "move" if here.is_file():
            (root / str(argument)).parent.mkdir(parents=True, exist_ok=True)
            here.rename(root / str(argument))
        case "delete":
            here.unlink(missing_ok=True)
        case "move folder" if here.is_dir() and not (root / str(argument)).exists():
            (root / str(argument)).parent.mkdir(parents=True, exist_ok=True)
            here.rename(root / str(argument))
        case _:
            pass


def scan(library: FolderLibrary, index: QdrantIndex) -> list[SyncMessage]:
    """What the producer sends, a message for each change."""
    plan = ScanPlan(RULES.is_candidate, library.is_gone)
    files = index.page(after=None, limit=100, status=None, under=None).files
    for file in files:
        plan.index_has(file)
    found = list(library.files())
    known = index.get_files([escape_path(file.path) for file in found])
    changes = [change for change, _ in plan.library_has(found, known)]
    messages = [
        SyncMessage(paths=list(change.paths), gone=list(change.gone), library="the-library")
        for change in (*changes, *plan.removals())
    ]
    if plan.left_out:
        messages.append(SyncMessage(left_out=plan.left_out, rules=RULES.digest, library="the-library"))
    return messages


@pytest.fixture
def deliver(sync: Sync) -> Callable[[SyncMessage], None]:
    worker = Sync(**{**vars(sync), "read_rules": lambda: RULES})

    def deliver(message: SyncMessage) -> None:
        try:
            worker.sync_paths(message)
        except StillChanging:
            pytest.fail("nothing changes while it looks")

    return deliver


@settings(
    deadline=None,
    max_examples=int(os.environ.get("EXAMPLES", "40")),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**32), first=CHANGES, second=CHANGES, third=CHANGES)
def test_library_and_index_agree_in_the_end(
    deliver: Callable[[SyncMessage], None],
    index: QdrantIndex,
    root: Path,
    seed: int,
    first: list[tuple[str, str, object]],
    second: list[tuple[str, str, object]],
    third: list[tuple[str, str, object]],
) -> None:
    index.delete([file.path for file in index.page(after=None, limit=100, status=None, under=None).files])
    chance = random.Random(seed)
    shutil.rmtree(root)
    root.mkdir()
    # A library that is emptied on purpose is another test.
    (root / "keep.txt").touch()
    library = FolderLibrary(root, RULES)
    late: list[SyncMessage] = []
    for changes in (first, second, third):
        for one in changes:
            # A folder into itself, or over a file.
            with suppress(OSError):
                change(root, *one)
        sent = [*late, *scan(library, index)]
        chance.shuffle(sent)
        now = chance.randint(0, len(sent))
        for message in [*sent[:now], *sent[: chance.randint(0, now)]]:
            deliver(message)
        late = sent[now:]
    for message in late:
        deliver(message)
    for _ in range(ROUNDS):
        messages = scan(library, index)
        if not messages:
            break
        for message in messages:
            deliver(message)

    assert scan(library, index) == []
    files = {file.path: version_of((root / file.path).stat()).token for file in library.files()}
    known = {file.path: file for file in index.page(after=None, limit=100, status=None, under=None).files}
    assert {path: file.version for path, file in known.items()} == files
    broken = {path for path in files if (root / path).read_bytes() not in CONTENTS[:-1]}
    assert {path for path, file in known.items() if file.status == "rejected"} == broken
