"""Compares the licences of all installed wheels with the list that was reviewed: exit code 1 for any surprise.

`python -m tests.programs.licences`, or `make licences`. A new row is printed as it belongs into the list.
"""

import sys
import tomllib
from importlib.metadata import Distribution, distributions
from itertools import chain
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.programs.licences.review import read_review, surprises
from tests.programs.licences.wheels import Wheel, needed, read

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs/decisions/licences.md"
# Not for users; and what `make setup` leaves out.
DEV, BY_CHOICE = "dev", {"openvino", "gpu", "train"}


def wheels_here() -> tuple[list[Wheel], set[str]]:
    """All wheels that the extras bring here, and the names of those that users get."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras: dict[str, list[str]] = project["optional-dependencies"]
    installed: dict[str, Distribution] = {canonicalize_name(one.name): one for one in distributions()}
    wanted = {extra: _others(lines) for extra, lines in extras.items() if extra not in BY_CHOICE}
    users = needed(chain(project["dependencies"], *(wanted[extra] for extra in wanted if extra != DEV)), installed)
    everything = users | needed(wanted[DEV], installed)
    return [read(installed[name]) for name in everything], users


def main() -> int:
    """Exit code."""
    wheels, users = wheels_here()
    found = surprises(wheels, users, read_review(PAGE.read_text("utf-8")))
    for sentence in found:
        print(sentence, file=sys.stderr)  # noqa: T201
    print(f"{len(wheels)} wheels, {len(users)} of them for users, {len(found)} surprises")  # noqa: T201
    return 1 if found else 0


def _others(lines: list[str]) -> list[str]:
    """Without lookalike's own extras, which are in the list by themselves."""
    return [line for line in lines if Requirement(line).name != "lookalike"]


if __name__ == "__main__":
    sys.exit(main())
