"""The reviewed lists of docs/decisions/licences.md, and what of the installed wheels is not as they say. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tests.programs.licences.wheels import Wheel

USERS, DEVELOPERS = "users", "dev"
# The GPL but not the LGPL; with an exception it lets others link, as that of GCC's libraries does.
COPYLEFT = re.compile(r"(?<![Ll])(?:A?GPL|SSPL)|General Public|Proprietary|Commercial", re.IGNORECASE)
ALLOWED = re.compile(r"LGPL|Lesser General Public|WITH GCC-exception", re.IGNORECASE)


@dataclass(frozen=True)
class Row:
    """A wheel as it was reviewed."""

    audience: str
    licence: str
    bundles: frozenset[str]


@dataclass(frozen=True)
class Reviewed:
    """Both tables: wheels by name, and the licence of each bundled library."""

    wheels: Mapping[str, Row]
    libraries: Mapping[str, str]


def read_review(page: str) -> Reviewed:
    """The tables of the page: rows of four columns are wheels, of two libraries."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line[:3] == "| `"]
    wheels = {
        row[0].strip("`"): Row(row[1], row[2], frozenset(re.findall(r"`([^`]+)`", row[3])))
        for row in rows
        if len(row) == 4
    }
    return Reviewed(wheels, {row[0].strip("`"): row[1] for row in rows if len(row) == 2})


def surprises(wheels: Iterable[Wheel], for_users: set[str], reviewed: Reviewed) -> list[str]:
    """One sentence for each thing that was not reviewed, or that users must not get."""
    return [sentence for wheel in sorted(wheels) for sentence in _of(wheel, wheel.name in for_users, reviewed)]


def row_of(wheel: Wheel, audience: str) -> str:
    """The line for the table, to be put in once it was looked at."""
    bundles = ", ".join(f"`{name}`" for name in wheel.bundles)
    return f"| `{wheel.name}` | {audience} | {wheel.licence} | {bundles} |"


def _of(wheel: Wheel, is_for_users: bool, reviewed: Reviewed) -> Iterable[str]:  # noqa: FBT001
    row = reviewed.wheels.get(wheel.name)
    audience = USERS if is_for_users else DEVELOPERS
    if row is None:
        yield f"{wheel.name} was not reviewed: {row_of(wheel, audience)}"
        return
    if row.audience != audience:
        yield f"{wheel.name} is for {audience}, the list says {row.audience}"
    if row.licence != wheel.licence:
        yield f"{wheel.name} has the licence {wheel.licence!r}, the list says {row.licence!r}"
    if is_for_users and _is_refused(wheel.licence):
        yield f"{wheel.name} is under {wheel.licence}, which users must not get"
    for library in wheel.bundles:
        if library not in row.bundles:
            yield f"{wheel.name} bundles {library}, which the list does not say"
        licence = reviewed.libraries.get(library)
        if licence is None:
            yield f"{library} in {wheel.name} has no licence in the list of libraries"
        elif is_for_users and _is_refused(licence):
            yield f"{wheel.name} bundles {library}, {licence}, which users must not get"


def _is_refused(licence: str) -> bool:
    return bool(COPYLEFT.search(licence)) and not ALLOWED.search(licence)
