import os
import zipfile
from pathlib import Path

import pytest
from packaging.metadata import Metadata

from lookalike import __version__
from lookalike.system.service_paths import services_dir
from tests.packaging.conftest import ROOT, Elsewhere, build

SERVICES = ("producer", "worker", "models", "edge", "web")
MOST_BYTES = 25 * 2**20


def _names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def _contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_only_lookalike_is_importable_from_the_wheel(wheel: Path) -> None:
    tops = {name.partition("/")[0] for name in _names(wheel)}

    assert tops == {"lookalike", f"lookalike-{__version__}.dist-info"}


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_travels_whole_inside_lookalike(service: str, wheel: Path) -> None:
    here = {f"lookalike/services/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / service).rglob("*.py")}

    inside = {name for name in _names(wheel) if name.startswith(f"lookalike/services/{service}/")}

    assert here == {name for name in inside if name.endswith(".py")}


def test_the_page_is_inside(wheel: Path) -> None:
    files = {f"lookalike/services/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / "web/static").iterdir()}

    assert files <= set(_names(wheel))


def test_the_models_that_ship_are_inside(wheel: Path) -> None:
    shipped = [path.name for path in (ROOT / "models").glob("*.onnx")]
    if not shipped:
        pytest.skip("models/ holds no model yet")

    assert {f"lookalike/services/models/{name}" for name in shipped} <= set(_names(wheel))


def test_the_wheel_tells_that_it_is_typed_and_carries_its_licence(wheel: Path) -> None:
    names = _names(wheel)

    assert "lookalike/py.typed" in names
    assert f"lookalike-{__version__}.dist-info/licenses/LICENSE" in names


def test_the_wheel_stays_small(wheel: Path) -> None:
    assert wheel.stat().st_size < MOST_BYTES


def test_the_version_comes_from_one_place(wheel: Path) -> None:
    metadata = Metadata.from_email(_contents(wheel)[f"lookalike-{__version__}.dist-info/METADATA"])

    assert str(metadata.version) == __version__


def test_the_sdist_builds_the_same_wheel(wheel: Path, unpacked: Path, tmp_path: Path) -> None:
    again = build(unpacked, "wheel", tmp_path)

    assert _contents(again) == _contents(wheel)


def test_the_sdist_holds_what_is_needed_to_test_it(unpacked: Path) -> None:
    there = {path.name for path in unpacked.iterdir()}

    assert {"Makefile", "constraints.txt", "tests", "docs", "README.md", "LICENSE", "CHANGELOG.md"} <= there
    assert not there & {".venv", ".work", "photos", "dist"}


def test_what_is_imported_there_is_the_wheel(elsewhere: Elsewhere) -> None:
    found = Path(elsewhere.says("import lookalike; print(lookalike.__file__)"))

    assert found.is_relative_to(elsewhere.folder)


def test_the_installed_program_tells_its_version(elsewhere: Elsewhere) -> None:
    done = elsewhere.run(str(elsewhere.python.with_name("lookalike")), "--version")

    assert done.stdout.strip() == f"lookalike {__version__}"


def test_services_are_found_in_the_wheel_and_in_a_checkout(elsewhere: Elsewhere) -> None:
    there = Path(elsewhere.says("from lookalike.system.service_paths import services_dir; print(services_dir())"))

    assert there.is_relative_to(elsewhere.folder)
    assert there.parts[-2:] == ("lookalike", "services")
    assert services_dir() == ROOT


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_lands_in_site_packages(service: str, elsewhere: Elsewhere) -> None:
    found = elsewhere.says(f"import importlib.util; print(importlib.util.find_spec({service!r}))")

    assert found == "None"


@pytest.mark.parametrize("program", ["edge", "worker.prepare", "web"])
def test_services_start_from_the_wheel(program: str, elsewhere: Elsewhere) -> None:
    where = elsewhere.says("from lookalike.system.service_paths import services_dir; print(services_dir())")

    done = elsewhere.run(str(elsewhere.python), "-m", program, "--help", PYTHONPATH=where)

    assert done.returncode == os.EX_OK, done.stderr
    assert f"python -m {program}" in done.stdout
