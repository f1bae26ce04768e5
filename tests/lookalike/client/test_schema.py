"""The printed contract accepts what the client sends and gets, and refuses what the workers refuse."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from lookalike import Client, Example
from lookalike.client.schema import schema_of
from lookalike.client.transports.transport import JobStatus, Message
from lookalike.redis_keys import DUPLICATES, READ, SEARCH, SYNC, TASKS, THUMBNAIL, Keys
from lookalike.settings import read_settings
from lookalike.testing import InMemoryTransport
from tests.lookalike.cli.test_cli import run

SCHEMA = schema_of(Keys("other"))


class Recording(InMemoryTransport):
    """Keeps what is sent and what is answered, as JSON."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Any] = []
        self.answers: list[Any] = []

    def send(
        self,
        message: Message,
        *,
        blobs: Mapping[str, bytes] | None = None,
        expires_s: float | None = None,
        background: bool = False,
    ) -> JobStatus:
        self.sent.append(json.loads(message.model_dump_json()))
        return super().send(message, blobs=blobs, expires_s=expires_s, background=background)

    def answer(self, job: str, *, timeout_s: float) -> Any:
        self.answers.append(super().answer(job, timeout_s=timeout_s))
        return self.answers[-1]


def accepts(task: str, side: str, document: Any) -> None:
    Draft202012Validator(SCHEMA["tasks"][task][side]).validate(document)


def test_it_is_printed_with_the_queues_of_the_system() -> None:
    printed = json.loads(run("schema", LOOKALIKE_NAME="other").stdout)

    assert printed == SCHEMA
    assert {task: of["queue"] for task, of in printed["tasks"].items()} == {
        **dict.fromkeys(TASKS, "other:search"),
        SYNC: "other:ingest",
        THUMBNAIL: "other:thumbnails",
        DUPLICATES: "other:duplicates",
    }
    assert printed["events"]["stream"] == "other:events"


def test_what_the_client_sends_and_gets_fits() -> None:
    transport = Recording()
    transport.add("a.jpg", [1.0, 0.0], format="JPEG")
    client = Client(read_settings(), transport=transport)

    client.search([Example("a.jpg", 2.0), "a.jpg"], filter={"format": "JPEG", "taken_at": {"gte": "2024"}}).result()
    client.sync(["a.jpg"]).result()
    list(client.list())

    for task, sent, answer in zip((SEARCH, SYNC, READ), transport.sent, transport.answers, strict=True):
        accepts(task, "message", sent)
        accepts(task, "reply", answer)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (SEARCH, {"v": 1, "examples": []}),
        (SEARCH, {"v": 2, "examples": [{"image": {"path": "a.jpg"}}]}),
        (SEARCH, {"v": 1, "examples": [{"image": {"path": "a.jpg"}}], "top": 3}),
        (SYNC, {"v": 1, "paths": "a.jpg"}),
        (READ, {"v": 1, "ask": {"what": "everything"}}),
    ],
)
def test_what_the_workers_refuse_does_not_fit(task: str, message: Any) -> None:
    with pytest.raises(ValidationError):
        accepts(task, "message", message)
