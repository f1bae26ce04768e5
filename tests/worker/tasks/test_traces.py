"""One search is one trace, from who asks to who answers; without the setting nothing of OpenTelemetry is imported."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.waiting import wait_until
from tests.support.workers import ROOT, worker_environment, worker_process
from tests.worker.tasks.conftest import System

CONSOLE = {"LOOKALIKE_TRACES": "true", "OTEL_TRACES_EXPORTER": "console", "OTEL_BSP_SCHEDULE_DELAY": "100"}
SEARCH = """
import sys
from lookalike import Client
with Client(name="traced") as client:
    job = client.search(sys.argv[1], 1)
    job.result(timeout_s=30)
"""
SENT, RUN = "apply_async/lookalike.search", "run/lookalike.search"


def spans(text: str) -> list[dict[str, Any]]:
    """The JSON documents that OpenTelemetry's own exporter for the console wrote between other lines."""
    decoder, found, at = json.JSONDecoder(), [], text.find("\n{\n")
    while at >= 0:
        try:
            span, at = decoder.raw_decode(text, at + 1)
        except json.JSONDecodeError:
            # It is being written.
            break
        found.append(span)
        at = text.find("\n{\n", at - 1)
    return found


def python(code: str, *arguments: str, environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT, env=dict(environment), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_spans_of_client_and_worker_are_of_one_trace(system: System, tmp_path: Path) -> None:
    name, log = system.path(301, "traced.png"), tmp_path / "traced.log"
    system.client.sync([name]).result(timeout_s=20)
    environment = system.environment | CONSOLE | {"LOOKALIKE_NAME": "traced"}
    with worker_process(log, environment, queues="traced:ingest,traced:search", name="search") as worker:
        asked = python(SEARCH, str(system.root / name), environment=environment)
        assert asked.returncode == 0, asked.stderr
        wait_until(lambda: [span for span in spans(log.read_text()) if span["name"] == RUN], 30, told=log.read_text)
        worker.kill()

    (sent,) = spans(f"\n{asked.stdout}")
    (run,) = [span for span in spans(log.read_text()) if span["name"] == RUN]
    assert sent["name"] == SENT
    assert run["context"]["trace_id"] == sent["context"]["trace_id"]
    assert run["parent_id"] == sent["context"]["span_id"]
    services = [span["resource"]["attributes"]["service.name"] for span in (sent, run)]
    assert services == ["lookalike-client", "lookalike-worker"]


def test_a_program_with_a_provider_of_its_own_keeps_it_and_its_spans_are_parents(system: System) -> None:
    code = """
import json, sys
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
kept = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(kept))
trace.set_tracer_provider(provider)
from lookalike import Client
with Client() as client, trace.get_tracer("shop").start_as_current_span("visit"):
    client.search("any.png", 1)
    client.search("any.png", 1)
print(json.dumps([(span.name, span.parent and span.parent.span_id, span.context.span_id)
                  for span in kept.get_finished_spans()]))
"""
    environment = system.environment | CONSOLE

    done = python(code, environment=environment)

    assert done.returncode == 0, done.stderr
    first, second, visit = json.loads(done.stdout)
    assert [name for name, *_ in (first, second, visit)] == [SENT, SENT, "visit"]
    # Both of the visit, and neither of the other: each has ended when the next begins.
    assert (first[1], second[1]) == (visit[2], visit[2])


WITHOUT = "import sys; sys.modules['opentelemetry.sdk'] = None\n"
NAMED = {"REDIS_URL": "redis://127.0.0.1:9/0"}


@pytest.mark.parametrize(
    "code",
    [
        "from lookalike import Client, LookalikeError\ntry: Client()\nexcept LookalikeError as e: sys.exit(str(e))",
        "from celery.__main__ import main; sys.argv = ['celery', '--app', 'worker', 'worker', '-Q', 'x']; main()",
    ],
    ids=["client", "worker"],
)
def test_without_its_packages_the_setting_is_refused_in_one_sentence(code: str) -> None:
    done = python(WITHOUT + code, environment=worker_environment(LOOKALIKE_TRACES="true", **NAMED))

    assert done.returncode == 1
    assert "LOOKALIKE_TRACES needs packages that are not installed: pip install 'lookalike[traces]'." in done.stderr
    assert "Traceback" not in done.stderr


def test_an_exporter_that_nothing_brings_is_refused() -> None:
    code = "from lookalike import Client\ntry: Client()\nexcept Exception as error: print(error)"
    environment = worker_environment(LOOKALIKE_TRACES="true", OTEL_TRACES_EXPORTER="zipkin-9", **NAMED)

    assert "OTEL_TRACES_EXPORTER names 'zipkin-9'" in python(code, environment=environment).stdout


def test_nothing_is_imported_that_was_not_asked_for() -> None:
    # Its metrics are looked for by redis-py, where they are installed.
    ours = ("opentelemetry.sdk.trace", "opentelemetry.instrumentation.celery", "opentelemetry.exporter")
    code = (
        f"import sys; from lookalike import Client; Client(); print([name for name in {ours} if name in sys.modules])"
    )

    done = python(code, environment=worker_environment(**NAMED))

    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr
