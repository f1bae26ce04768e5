"""The REST API keeps to its OpenAPI, whatever is sent: Schemathesis asks a real system."""

import os
import subprocess
import sys
from pathlib import Path

from tests.web.conftest import Gallery

# What it says of files, searches and pauses depends on what is in the index. The events never end, and the answer of a
# job is waited for.
WITHOUT = ["--exclude-path", "/api/v1/events", "--exclude-path", "/api/v1/jobs/{job}/result"]
# A query that is right in form may name a file that is not in the index.
CONFIG = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 202, 304, 404, 409, 422, 413]
"""


def test_schemathesis_finds_no_breach(gallery: Gallery, tmp_path: Path) -> None:
    config = tmp_path / "schemathesis.toml"
    config.write_text(CONFIG)
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"]
    command += [f"{gallery.url}/api/v1/openapi.json", "--phases", "examples,coverage,fuzzing", *WITHOUT]
    command += ["--max-examples", "8", "--seed", "1", "--no-color", "--request-timeout", "40"]

    done = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "NO_PROXY": "127.0.0.1", "HYPOTHESIS_STORAGE_DIRECTORY": str(tmp_path / "examples")},
        timeout=120,
    )

    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    gallery.http.post("/api/v1/resume")


def test_the_openapi_has_every_route_with_a_summary_and_problems(gallery: Gallery) -> None:
    document = gallery.http.get("/api/v1/openapi.json").json()

    operations = [one for methods in document["paths"].values() for one in methods.values()]
    assert {path.removeprefix("/api/v1") for path in document["paths"]} >= {
        *("/search", "/images", "/images/{path}", "/files/{path}", "/thumbnails/{path}", "/status", "/events"),
        *("/jobs/{job}", "/rejected", "/retry", "/ignored", "/pause", "/resume", "/sample", "/healthz", "/readyz"),
    }
    assert all(one["summary"] and "default" in one["responses"] for one in operations)
