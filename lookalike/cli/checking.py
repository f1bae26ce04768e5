"""The command that looks at this machine: doctor."""

import dataclasses
from collections.abc import Iterable, Iterator

import typer

from lookalike.cli.app import Data, Json, app
from lookalike.cli.output import show_finding, show_json
from lookalike.doctor import CheckResult, examine
from lookalike.errors import Misconfigured
from lookalike.settings import read_settings


@app.command()
def doctor(data: Data = None, json: Json = False) -> None:
    """Look at everything that lookalike needs here, and tell what helps; exit code 1 if something is broken."""
    try:
        settings = read_settings(data=data)
    except Misconfigured as error:
        findings: Iterable[CheckResult] = [CheckResult("settings", "broken", "cannot be read", str(error))]
    else:
        findings = examine(settings)
    seen = list(findings if json else _shown(findings))
    is_well = all(finding.state != "broken" for finding in seen)
    if json:
        show_json({"ok": is_well, "findings": [dataclasses.asdict(finding) for finding in seen]})
    if not is_well:
        raise typer.Exit(1)


def _shown(findings: Iterable[CheckResult]) -> Iterator[CheckResult]:
    """Each at once: looking at everything takes seconds."""
    for finding in findings:
        show_finding(finding)
        yield finding
