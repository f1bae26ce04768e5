"""One list of parts and extras: what `up`, doctor, compose, the images and the package say agrees with it."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from lookalike.broker import telemetry
from lookalike.local.supervision.preflight import needed_packages
from lookalike.local.supervision.processes import REINDEX, Ports, process_specs
from lookalike.settings import read_settings
from lookalike.system.parts import EXTRAS, OPTIONAL, PART_NAMES, PARTS, Part, module_of, packages_of
from tests.programs.rehearsal.recipe import stages_of

ROOT = Path(__file__).resolve().parents[2]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
STAGES = stages_of((ROOT / "deploy" / "Dockerfile").read_text("utf-8"))
DECLARED: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"][
    "optional-dependencies"
]
OURS = [part for part in PARTS if part.is_in_our_image]


def test_up_starts_each_part() -> None:
    specs = process_specs(read_settings(), Ports(broker=1, store=2, flower=3, web=4))

    assert tuple(spec.name for spec in specs) == PART_NAMES


def test_status_watches_the_parts_that_have_a_heartbeat() -> None:
    assert set(telemetry.BEATING_PARTS) == {part.name for part in PARTS if part.has_heartbeat}


def test_each_extra_is_that_of_a_part_and_declared() -> None:
    assert set(EXTRAS) == {part.extra for part in PARTS}
    assert EXTRAS.keys() <= DECLARED.keys()
    assert DECLARED["all"] == [f"lookalike[{','.join(EXTRAS)}]"]


def test_up_needs_each_package_of_each_extra_but_the_optional_ones() -> None:
    packages = {package for extra in EXTRAS for package in packages_of(extra)}

    assert set(needed_packages()) == packages - set(OPTIONAL)
    assert set(OPTIONAL) <= packages
    assert {"supervisor", "flower", "watchdog", "onnxruntime", "qdrant-client", "qdrant-edge-py"} <= packages
    assert module_of("qdrant-edge-py") == "qdrant_edge"


def test_each_part_is_a_service_of_compose_and_each_service_a_part() -> None:
    assert set(SERVICES) == {part.service for part in PARTS} | {REINDEX}


def test_each_image_that_is_built_is_that_of_a_part() -> None:
    built = {name: service["build"]["target"] for name, service in SERVICES.items() if "build" in service}

    assert built == {part.name: part.name for part in OURS} | {REINDEX: REINDEX}


@pytest.mark.parametrize("part", OURS, ids=lambda part: part.name)
def test_the_image_of_a_part_installs_its_extra_and_no_other(part: Part) -> None:
    # LOOKALIKE_TRACES reaches all who send or do jobs.
    traces: set[str] = set() if part.name == "flower" else {"traces"}

    assert installed_in(part.name) == {part.extra} | traces


def test_the_image_of_a_reindex_installs_what_its_parts_need() -> None:
    needed = {part.extra for part in PARTS if part.name in ("ingest", "search", "producer")}

    assert installed_in(REINDEX) == needed | {"traces"}


def installed_in(target: str) -> set[str]:
    """The extras of what is copied into this image."""
    lineage, copied = target, set()
    while lineage in STAGES:
        for word, text in STAGES[lineage].instructions:
            copied |= set(re.findall(r"--from=(\S+)", text)) if word == "COPY" else set()
        lineage = STAGES[lineage].parent

    return {
        extra
        for stage in copied
        for word, text in STAGES[stage].instructions
        if word == "RUN"
        for extra in re.findall(r"--extra (\w+)", text)
    }
