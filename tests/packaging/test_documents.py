"""What the README, the settings' page and the indexes say, against what is there."""

import re
from itertools import chain
from pathlib import Path

import pytest
from typer.main import get_command

from lookalike.cli import app
from lookalike.library.ignore_defaults import DEFAULT_IGNORE
from lookalike.redis_keys import TASKS
from lookalike.settings import Settings, variable_of
from lookalike.settings.environment_check import OTHER_VARIABLES
from tests.packaging.conftest import ROOT

README = (ROOT / "README.md").read_text("utf-8")
DOCUMENTS = sorted(
    chain(
        [ROOT / f"{name}.md" for name in ("README", "CHANGELOG", "CONTRIBUTING", "SECURITY")],
        (ROOT / "docs").rglob("*.md"),
    )
)
# A name in them that is no setting would be refused by the first program that reads the environment.
VARIABLES_IN = [
    *DOCUMENTS,
    *(ROOT / name for name in ("docker-compose.yml", ".env.example", "deploy/Dockerfile", "Makefile")),
]
MOST_LINES = 120
MOST_PICTURE_BYTES = 60_000
COMMAND_ROW = r"^\| `lookalike (\w+)"
EXAMPLE_BEFORE_LINE = 40


def settings_row(field: str) -> str:
    """The line of docs/settings.md that a setting must have."""
    known = Settings.model_fields[field]
    match known.default:
        case None:
            default = ""
        case tuple():
            default = f"`{','.join(known.default)}`" if known.default else ""
        case bool():
            default = f"`{str(known.default).lower()}`"
        case other:
            default = f"`{other}`"
    return f"| `{variable_of(field)}` | {default} | {known.description} |".replace("|  |", "| |")


def test_the_readme_is_short_and_shows_a_search_early() -> None:
    lines = README.splitlines()

    assert len(lines) <= MOST_LINES
    assert any("client.search(" in line for line in lines[: EXAMPLE_BEFORE_LINE - 1])


def test_each_setting_is_documented_with_its_default() -> None:
    rows = [line for line in (ROOT / "docs/settings.md").read_text("utf-8").splitlines() if line.startswith("| `")]

    assert rows == [settings_row(field) for field in Settings.model_fields]


@pytest.mark.parametrize("file", VARIABLES_IN, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_variable_in_a_document_or_a_recipe_exists(file: Path) -> None:
    known = {variable_of(field) for field in Settings.model_fields}

    assert set(re.findall(r"\bLOOKALIKE_[A-Z_]+\b", file.read_text("utf-8"))) <= known | OTHER_VARIABLES


def test_each_command_is_listed_and_the_readme_names_none_that_is_not() -> None:
    commands = set(get_command(app).commands)  # type: ignore[attr-defined]
    listed = (ROOT / "docs/command-line.md").read_text("utf-8")

    assert set(re.findall(COMMAND_ROW, listed, re.MULTILINE)) == commands
    assert set(re.findall(COMMAND_ROW, README, re.MULTILINE)) < commands


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text("utf-8"))

    assert [target for target in targets if not (document.parent / target).exists()] == []


def test_each_decision_is_in_the_index_under_its_title() -> None:
    folder = ROOT / "docs/decisions"
    decisions = {path.name for path in folder.glob("[0-9]*.md")}

    assert set(re.findall(r"^- \[\d{4}\]\(([^)]+)\): ", (folder / "README.md").read_text("utf-8"), re.MULTILINE)) == (
        decisions
    )


def test_the_changelog_begins_with_the_version_that_is_made() -> None:
    (first, *_) = re.findall(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)

    assert (ROOT / "lookalike/__init__.py").read_text("utf-8").find(f'__version__ = "{first}"') > 0


@pytest.mark.parametrize(
    "picture", ["up.svg", "flower.png", "flower-store.png", "flower-file.png", "gallery.png", "duplicates.png"]
)
def test_pictures_are_small_shown_and_drawn_by_make(picture: str) -> None:
    path = ROOT / "docs/pictures" / picture

    assert path.stat().st_size < MOST_PICTURE_BYTES
    assert any(f"pictures/{picture}" in document.read_text("utf-8") for document in DOCUMENTS)
    assert any(picture in program.read_text("utf-8") for program in path.parent.glob("draw*.py"))
    assert b"://cdn" not in path.read_bytes()


def _leads_nowhere(name: str) -> bool:
    """Whether no module or folder is called so; what follows a module is a name in it."""
    parts = name.split(".")
    found = (length for length in range(len(parts), 1, -1) if _is_module(ROOT.joinpath(*parts[:length])))
    return next(found, None) is None


def _is_module(path: Path) -> bool:
    return path.with_suffix(".py").is_file() or path.is_dir()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_paths_and_modules_that_are_named_are_there(document: Path) -> None:
    text = document.read_text("utf-8")
    tops = "lookalike|worker|producer|edge|web|models|bench|tests|deploy|examples|docs"
    paths = re.findall(rf"`((?:{tops})/[\w./-]*\w)(?:::\w+)?`", text)
    modules = set(re.findall(rf"(?<![\w./-])((?:{tops})(?:\.[a-z_]+)+)\b", text)) - {*TASKS}

    assert [path for path in paths if not (ROOT / path).exists()] == []
    assert sorted(filter(_leads_nowhere, modules)) == []


def test_each_default_of_what_is_left_out_is_documented() -> None:
    text = (ROOT / "docs/ignoring.md").read_text("utf-8")
    listed = [
        pattern
        for row in text.splitlines()
        if row.startswith("| `")
        for pattern in re.findall(r"`([^`]+)`", row.split(" | ")[0])
    ]

    assert sorted(listed) == sorted(DEFAULT_IGNORE)
