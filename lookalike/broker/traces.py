"""OpenTelemetry's traces, by LOOKALIKE_TRACES: from who sends a job to the task that does it.

Imports nothing of OpenTelemetry unless they are asked for. Where spans go is set as everywhere by OTEL_* variables; a
program that has set up a tracer provider of its own keeps it.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import entry_points
from importlib.util import find_spec

from lookalike.errors import Misconfigured
from lookalike.settings import Settings

MISSING = "LOOKALIKE_TRACES needs packages that are not installed: pip install 'lookalike[traces]'."
PACKAGES = ("opentelemetry", "opentelemetry.sdk", "opentelemetry.instrumentation.celery")
# What the variable calls it, and what the package does.
CALLED = {"otlp": "otlp_proto_http"}

Sending = Callable[[str, str], AbstractContextManager[dict[str, str]]]
"""Entered around the sending of a task, by its name and job: gives the headers that carry the context."""


def require_traces(settings: Settings) -> None:
    """Raises Misconfigured if traces are asked for and their packages are missing. Imports none of them."""
    if settings.traces and not all(map(_is_there, PACKAGES)):
        raise Misconfigured(MISSING)


def traces_of(settings: Settings, service: str) -> Sending:
    """How messages are sent by these settings. Raises Misconfigured without the packages."""
    if not settings.traces:
        return untraced
    require_traces(settings)
    set_up_traces(service)
    return _traced


@contextmanager
def untraced(_task: str, _job: str) -> Iterator[dict[str, str]]:
    """No headers."""
    yield {}


def trace_tasks(service: str) -> Callable[[], None]:
    """Traces the tasks of this process, by Celery's instrumentation; the function that exports what is left.

    To be called after fork: spans are exported by a thread.
    """
    flush = set_up_traces(service)
    from opentelemetry.instrumentation.celery import CeleryInstrumentor  # noqa: PLC0415 (an extra)

    CeleryInstrumentor().instrument()  # type: ignore[no-untyped-call]
    return flush


def set_up_traces(service: str) -> Callable[[], None]:
    """Makes a tracer provider unless there is one; the function that exports its spans now. Raises Misconfigured."""
    from opentelemetry import trace  # noqa: PLC0415 (an extra)
    from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider):
        named = SERVICE_NAME in OTELResourceDetector().detect().attributes
        provider = TracerProvider(resource=Resource.create({} if named else {SERVICE_NAME: service}))
        for name in _exporters():
            found = [*entry_points(group="opentelemetry_traces_exporter", name=CALLED.get(name, name))]
            if not found:
                raise Misconfigured(f"OTEL_TRACES_EXPORTER names {name!r}, which no package here brings.")
            provider.add_span_processor(BatchSpanProcessor(found[0].load()()))
        trace.set_tracer_provider(provider)

    def flush() -> None:
        if isinstance(provider, TracerProvider):
            provider.force_flush()

    return flush


def _is_there(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:
        return False


def _exporters() -> list[str]:
    named = os.environ.get("OTEL_TRACES_EXPORTER") or "otlp"
    return [name.strip() for name in named.split(",") if name.strip() != "none"]


@contextmanager
def _traced(task: str, job: str) -> Iterator[dict[str, str]]:
    # Not by Celery's instrumentation: of a task that this process does not know by more than its name, as every client
    # sends it, it begins a span that it never ends (0.66b2), so all that follows would be its child.
    from opentelemetry import propagate, trace  # noqa: PLC0415 (an extra)

    headers: dict[str, str] = {}
    attributes = {"celery.task_name": task, "messaging.message.id": job}
    with trace.get_tracer("lookalike").start_as_current_span(
        f"apply_async/{task}", kind=trace.SpanKind.PRODUCER, attributes=attributes
    ):
        propagate.inject(headers)
        yield headers
