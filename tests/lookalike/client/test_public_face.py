"""What people import is what is written down, is typed, and connects to nothing by itself."""

import subprocess
import sys
from pathlib import Path

import pytest

import lookalike
from lookalike import Client, NotRunning, Unreachable
from lookalike.messages import SearchMessage, SyncMessage


def test_the_exported_names_are_these() -> None:
    assert sorted(lookalike.__all__) == [
        "Answer",
        "AsyncClient",
        "Cancelled",
        "Client",
        "Closed",
        "CollectionMismatch",
        "Example",
        "Job",
        "LookalikeError",
        "Misconfigured",
        "Neighbour",
        "Neighbours",
        "NoSuchJob",
        "NotRunning",
        "Query",
        "Refused",
        "Searches",
        "TimedOut",
        "Unreachable",
    ]
    assert all(hasattr(lookalike, name) for name in lookalike.__all__)
    assert Path(lookalike.__file__).with_name("py.typed").exists()


def test_the_client_needs_no_service_and_no_numpy() -> None:
    """Whoever only searches installs the few dependencies of the client."""
    heavy = ["numpy", "onnxruntime", "qdrant_client", "watchdog", "flower", "starlette", "qdrant_edge"]
    # Of OpenTelemetry redis-py looks for its metrics by itself, where they are installed.
    heavy += ["opentelemetry.sdk.trace", "opentelemetry.instrumentation"]
    code = f"import sys, lookalike, lookalike.cli; print([name for name in {heavy} if name in sys.modules])"

    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_without_a_system_the_client_says_how_to_start_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)

    with pytest.raises(NotRunning, match="lookalike up FOLDER"):
        Client(data=tmp_path)


def test_a_broker_that_is_away_is_told_in_one_sentence() -> None:
    with Client(redis_url="redis://127.0.0.1:1/0") as client:
        for call in (
            lambda: client.search(b"x"),
            lambda: client.sync(["a.jpg"]),
            client.status,
            lambda: list(client.list()),
        ):
            with pytest.raises(Unreachable, match="broker does not answer"):
                call()


def test_messages_have_bounds() -> None:
    for broken in ({"paths": ["x" * 5000]}, {"paths": ["a"] * 1001}, {"v": 2}, {"extra": 1}):
        with pytest.raises(ValueError, match=r"SyncMessage"):
            SyncMessage.model_validate(broken)
    for image in ({"key": "not-a-uuid"}, {"key": "*"}, {"base64": "A" * 100_000}, {"path": ""}):
        with pytest.raises(ValueError, match=r"SearchMessage"):
            SearchMessage.model_validate({"examples": [{"image": image}]})
