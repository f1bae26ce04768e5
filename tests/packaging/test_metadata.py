"""pyproject.toml, constraints.txt and the reasons for what is in them."""

import ast
import re
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.packaging.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = {extra: [Requirement(line) for line in lines] for extra, lines in PROJECT["optional-dependencies"].items()}
CLIENT = [Requirement(line) for line in PROJECT["dependencies"]]
EVERYTHING = [needed for needed in chain(CLIENT, *EXTRAS.values()) if needed.name != "lookalike"]
CONSTRAINTS = (ROOT / "constraints.txt").read_text("utf-8")
# Where the name that is imported differs from the one that is installed; some are brought by what is named.
INSTALLED_AS = {
    "PIL": "pillow",
    "onnxruntime_ep_openvino": "onnxruntime-ep-openvino",
    "qdrant_edge": "qdrant-edge-py",
    "grpc": "qdrant-client",
    "kombu": "celery",
    "opentelemetry": "opentelemetry-sdk",
    "redis": "celery",
}
# Beside the client's requirements. lookalike starts what `edge` brings and is what Flower, of `monitor`, runs; fetching
# says itself what it lacks.
EXTRAS_OF = {
    "lookalike": ("edge", "monitor"),
    "producer": ("producer",),
    "worker": ("worker", "store"),
    "models": ("worker", "train", "jxl"),
    "edge": ("edge",),
}
ASKED_FOR_WHEN_USED = {
    "huggingface-hub",
    "obstore",
    "onnxruntime-ep-openvino",
    "opentelemetry-sdk",
    "pi-heif",
    "pyarrow",
}
# Large, for some machines or tasks only, and in nobody's `make setup`.
BY_CHOICE = {"torch", "onnxruntime-ep-openvino", "onnxruntime-gpu"}
OURS = {*EXTRAS_OF, "tests"}
PINNED: dict[str, list[Version]] = {}
for _name, _version in re.findall(r"^([a-z0-9-]+)==(\S+)", CONSTRAINTS, re.MULTILINE):
    PINNED.setdefault(_name, []).append(Version(_version))


@pytest.mark.parametrize("minor", [11, 12, 13, 14])
def test_each_python_that_is_named_is_allowed(minor: int) -> None:
    allowed = SpecifierSet(PROJECT["requires-python"])

    assert f"3.{minor}" in allowed
    assert f"Programming Language :: Python :: 3.{minor}" in PROJECT["classifiers"]


def test_no_other_python_is_allowed() -> None:
    allowed = SpecifierSet(PROJECT["requires-python"])

    assert not {"3.10", "3.15"} & set(allowed.filter(["3.10", "3.15"]))


def test_the_client_needs_only_what_speaks_to_the_broker() -> None:
    assert {needed.name for needed in CLIENT} == {
        "celery", "pathspec", "pillow", "platformdirs", "pydantic", "pydantic-settings", "rich", "structlog",
        "tenacity", "typer",
    }  # fmt: skip


def test_everything_comes_with_one_extra() -> None:
    (everything,) = EXTRAS["all"]

    assert everything.extras >= {"worker", "producer", "edge", "monitor"}


def test_torch_is_for_training_alone() -> None:
    with_torch = {extra for extra, needs in EXTRAS.items() if "torch" in {needed.name for needed in needs}}

    assert with_torch == {"train"}
    assert "torch" not in PINNED


def test_each_requirement_is_pinned_to_a_version_that_it_allows() -> None:
    wanted = [needed for needed in EVERYTHING if needed.name not in BY_CHOICE]

    unmet = [
        str(needed)
        for needed in wanted
        if not PINNED.get(canonicalize_name(needed.name))
        or not all(needed.specifier.contains(version) for version in PINNED[canonicalize_name(needed.name)])
    ]

    assert not unmet, "run: make constraints"


def test_each_pin_has_a_hash_and_nothing_names_a_place() -> None:
    blocks = re.split(r"^(?=[a-z0-9])", CONSTRAINTS, flags=re.MULTILINE)[1:]

    assert all("--hash=sha256:" in block for block in blocks)
    assert not re.search(r"://|^-|@ |/", CONSTRAINTS.replace("--hash", ""), re.MULTILINE)


def test_each_requirement_has_a_reason_and_each_reason_is_for_a_requirement() -> None:
    reasons = (ROOT / "docs/decisions/0002-dependencies.md").read_text("utf-8")

    assert set(re.findall(r"^\| `([^`]+)`", reasons, re.MULTILINE)) == {needed.name for needed in EVERYTHING}


def _imported(package: str) -> set[str]:
    """Names of the distributions that the modules of a package import, at the top or within a function.

    Those that it can do without are left out: they are imported within `with suppress(ImportError)`.
    """
    trees = [ast.parse(path.read_text("utf-8")) for path in Path(ROOT, package).rglob("*.py")]
    every = list(chain.from_iterable(map(ast.walk, trees)))
    optional = {
        id(inner)
        for node in every
        if isinstance(node, ast.With) and any(ast.unparse(item) == "suppress(ImportError)" for item in node.items)
        for inner in ast.walk(node)
    }
    nodes = [node for node in every if id(node) not in optional]
    modules = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    tops = {module.partition(".")[0] for module in modules} - sys.stdlib_module_names - OURS
    return {canonicalize_name(INSTALLED_AS.get(top, top)) for top in tops}


@pytest.mark.parametrize("package", EXTRAS_OF)
def test_each_part_imports_only_what_its_extra_brings(package: str) -> None:
    brought = {needed.name for needed in chain(CLIENT, *(EXTRAS[extra] for extra in EXTRAS_OF[package]))}

    assert _imported(package) - ASKED_FOR_WHEN_USED <= brought
