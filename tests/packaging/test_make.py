"""The Makefile and what CI runs."""

import re
import shutil
import subprocess

from tests.packaging.conftest import ROOT

MAKE = shutil.which("make") or "make"
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")


def test_bare_make_lists_each_target_with_a_line() -> None:
    (phony,) = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)

    listed = subprocess.run([MAKE, "--no-print-directory"], cwd=ROOT, check=True, capture_output=True, text=True)

    assert set(re.findall(r"^  make (\S+) +\S", listed.stdout, re.MULTILINE)) == set(phony.split())


def test_ci_runs_what_everybody_runs() -> None:
    script = ROOT / ".ci" / "run"

    assert script.stat().st_mode & 0o111
    assert script.read_text("utf-8").splitlines()[1:] == ["exec make check"]


def test_check_leaves_nothing_out() -> None:
    (parts,) = re.findall(r"^check: ([a-z ]+) ##", MAKEFILE, re.MULTILINE)

    assert set(parts.split()) >= {"setup", "lint", "types", "imports", "test"}
