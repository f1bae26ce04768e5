"""producer's inotify.py extends classes of watchdog by their private members: another watchdog may not have them."""

import ast
import inspect
import textwrap
from importlib.metadata import version

import pytest
from watchdog.observers.inotify import InotifyFullEmitter, InotifyWatchGroup
from watchdog.observers.inotify_c import InotifyFD

from tests.producer.conftest import ROOT

INOTIFY = ROOT / "producer" / "watching" / "inotify.py"
PRIVATE = {
    InotifyFD: ("_add_callback", "_get_or_create_watch"),
    InotifyWatchGroup: (
        "_active_callbacks_by_path",
        "_active_callbacks_by_watch",
        "_add_all_callbacks",
        "_add_callback",
        "_build_event_source_path",
        "_callback",
        "_id",
        "_inotify_fd",
        "_lock",
        "_remove_callbacks",
        "_remove_watch_internally",
    ),
    InotifyFullEmitter: ("_inotify", "_inotify_fd"),
}
PARAMETERS = {
    (InotifyFD, "_add_callback"): ("self", "path", "mask", "callback", "id_"),
    (InotifyFD, "_get_or_create_watch"): ("self", "path", "mask"),
    (InotifyWatchGroup, "_add_all_callbacks"): ("self", "path"),
    (InotifyWatchGroup, "_add_callback"): ("self", "path"),
    (InotifyWatchGroup, "_build_event_source_path"): ("self", "event"),
    (InotifyWatchGroup, "_remove_callbacks"): ("self", "wds"),
    (InotifyWatchGroup, "_remove_watch_internally"): ("self", "wd"),
}
# Private names that producer/watching/inotify.py defines itself.
OURS = {"_is_folder_moved_out", "_observed", "_on_exhausted", "_on_overflow"}


def members_of(owner: type) -> set[str]:
    """What the class and its bases define, and what their methods set: a class that lacks a member makes no object."""
    found = set(dir(owner))
    for base in owner.__mro__[:-1]:
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(base)))):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                found.add(node.attr)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found.add(node.target.id)
    return found


@pytest.mark.parametrize(("owner", "member"), [(owner, member) for owner in PRIVATE for member in PRIVATE[owner]])
def test_watchdog_has_each_private_member_that_is_used(owner: type, member: str) -> None:
    assert member in members_of(owner), (
        f"watchdog {version('watchdog')} has no {owner.__name__}.{member}, which producer/watching/inotify.py uses: "
        "adapt that module, or exclude this version of watchdog in pyproject.toml."
    )


def test_watchdogs_private_methods_take_what_they_are_given() -> None:
    for (owner, member), expected in PARAMETERS.items():
        found = tuple(inspect.signature(getattr(owner, member)).parameters)
        assert found == expected, (
            f"watchdog {version('watchdog')}: {owner.__name__}.{member} takes {found}, and inotify.py "
            f"expects {expected}: adapt that module, or exclude this version of watchdog in pyproject.toml."
        )


def test_no_private_member_is_used_that_is_not_named_here() -> None:
    nodes = list(ast.walk(ast.parse(INOTIFY.read_text("utf-8"))))
    names = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    names |= {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    private = {name for name in names if name.startswith("_") and not name.startswith("__")}

    named = {member for members in PRIVATE.values() for member in members}
    assert private - OURS == named
