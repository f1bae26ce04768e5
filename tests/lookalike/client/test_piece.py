"""`lookalike search --piece`: what it asks, and what it says where there is no vector for copies."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from lookalike import Client
from lookalike.cli import app
from lookalike.settings import read_settings
from lookalike.testing import InMemoryTransport

SENTENCE = "has no vector for copies, so the embedding was asked in its place"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "query.jpg"
    path.write_bytes(b"query")
    return path


def system(*, copies: bool) -> InMemoryTransport:
    """By the embedding the query looks like a, by the copy descriptor like b."""
    embeddings = {b"a": [1.0, 0.0], b"b": [0.0, 1.0], b"query": [1.0, 0.1]}
    descriptors = {b"a": [0.0, 0.0, 1.0], b"b": [1.0, 1.0, 0.0], b"query": [1.0, 0.9, 0.0]}
    transport = InMemoryTransport(
        lambda blob, _box: embeddings[blob], describe_copy=(lambda blob, _box: descriptors[blob]) if copies else None
    )
    for name in ("a", "b"):
        transport.add(f"{name}.jpg", name.encode())
    return transport


def run(monkeypatch: pytest.MonkeyPatch, transport: InMemoryTransport, *words: str) -> Result:
    client = Client(read_settings(), transport=transport)
    monkeypatch.setattr("lookalike.cli.options.query.Client", lambda **_: client)
    return CliRunner().invoke(app, ["search", *words])


def test_a_piece_is_looked_for_by_the_copy_descriptor(monkeypatch: pytest.MonkeyPatch, image: Path) -> None:
    for words, first in ((["--piece"], "b.jpg"), ([], "a.jpg")):
        done = run(monkeypatch, system(copies=True), str(image), "--json", *words)
        answer = json.loads(done.stdout)
        assert answer["neighbours"][0]["path"] == first
        assert answer["note"] is None
        assert done.stderr == ""


def test_without_a_copy_descriptor_the_embedding_is_asked_and_stderr_says_so(
    monkeypatch: pytest.MonkeyPatch, image: Path
) -> None:
    done = run(monkeypatch, system(copies=False), str(image), "--piece")
    asked_for_json = run(monkeypatch, system(copies=False), str(image), "--piece", "--json")
    plain = run(monkeypatch, system(copies=False), str(image))

    assert "a.jpg" in done.stdout.splitlines()[1]
    assert SENTENCE in done.stderr
    assert SENTENCE not in done.stdout
    assert SENTENCE in json.loads(asked_for_json.stdout)["note"]
    assert plain.stderr == ""


def test_a_path_of_the_library_is_asked_by_its_own_descriptor() -> None:
    with Client(read_settings(), transport=system(copies=True)) as client:
        found = client.search("b.jpg", by="copy").result()

    assert [it.path for it in found] == ["b.jpg", "a.jpg"]
    assert [it.score for it in found] == pytest.approx([1.0, 0.0])
