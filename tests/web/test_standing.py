"""How the system stands, over HTTP, and what happens as it happens."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.pictures import encoded, picture
from tests.support.waiting import wait_until
from tests.web.conftest import BROKEN, FIRST, Gallery


def test_the_status_is_that_of_the_command(gallery: Gallery) -> None:
    there, here = gallery.http.get("/api/v1/status").json(), gallery.client.status().model_dump()

    assert there.keys() == here.keys()
    assert (there["indexed"], there["rejected"], there["model"]) == (here["indexed"], here["rejected"], here["model"])


def test_it_pauses_and_resumes(gallery: Gallery) -> None:
    paused = gallery.http.post("/api/v1/pause", json={"for_s": 600}).json()
    resumed = gallery.http.post("/api/v1/resume").json()

    assert (paused["paused_by"], resumed["paused"]) == ("command", None)
    assert gallery.http.post("/api/v1/pause", json={"for_s": 0.1}).status_code == 422


def test_rejected_files_are_tried_again(gallery: Gallery) -> None:
    assert gallery.http.post("/api/v1/retry", json={"paths": [BROKEN]}).json() == {"sent": 1}
    assert gallery.http.post("/api/v1/retry").json()["sent"] >= 1
    assert gallery.http.post("/api/v1/retry", json={"paths": []}).status_code == 422
    assert gallery.http.post("/api/v1/retry", json={"paths": ["/etc/passwd"]}).status_code == 422


def test_it_is_ready_while_broker_store_and_a_search_worker_answer(gallery: Gallery) -> None:
    ready = gallery.http.get("/readyz")
    with gallery.worker_stopped():
        silent, alive = gallery.http.get("/readyz"), gallery.http.get("/healthz")

    assert (ready.status_code, silent.status_code, alive.status_code) == (200, 503, 200)
    assert "silent: see `lookalike status`" in silent.json()["detail"]


@contextmanager
def followed(gallery: Gallery, **headers: str) -> Iterator[list[tuple[str, Any]]]:
    """The events that are told meanwhile, each with its name; a socket can be closed while it is read."""
    told: list[tuple[str, Any]] = []
    with socket.create_connection(("127.0.0.1", int(gallery.url.rpartition(":")[2])), timeout=30) as connection:
        more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        connection.sendall(f"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n{more}\r\n".encode())

        def read() -> None:
            name = ""
            for line in connection.makefile("r"):
                kind, _, rest = line.rstrip("\n").partition(": ")
                name = rest if kind == "event" else name
                if kind == "data":
                    told.append((name, json.loads(rest)))
                elif kind in ("id", "content-type"):
                    told.append((kind, rest))

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        try:
            wait_until(lambda: told, 20)
            yield told
        finally:
            connection.shutdown(socket.SHUT_RDWR)
            reader.join(20)


def names(told: list[tuple[str, Any]]) -> set[str]:
    return {event["path"] for name, content in told if name == "files" for event in content["events"]}


def test_what_happens_is_told_as_it_happens(gallery: Gallery) -> None:
    with followed(gallery) as told:
        wait_until(lambda: any(name == "status" for name, _ in told), 20)
        (gallery.library / "fresh.png").write_bytes(encoded(picture(40)))
        gallery.client.sync(["fresh.png"]).result(20)
        wait_until(lambda: "fresh.png" in names(told), 30)

    assert told[0] == ("content-type", "text/event-stream; charset=utf-8")
    last = [content for name, content in told if name == "id"][-1]
    (gallery.library / "missed.png").write_bytes(encoded(picture(41)))
    gallery.client.sync(["missed.png"]).result(20)
    with followed(gallery, **{"last-event-id": last}) as told:
        wait_until(lambda: "missed.png" in names(told), 20)


def test_what_is_no_id_of_an_event_is_told_as_trouble(gallery: Gallery) -> None:
    with followed(gallery, **{"last-event-id": "yesterday"}) as told:
        wait_until(lambda: any(name == "trouble" for name, _ in told), 20)


def test_a_page_that_left_is_followed_no_more(gallery: Gallery) -> None:
    for _ in range(3):
        with followed(gallery):
            pass

    with followed(gallery) as told:
        wait_until(lambda: any(name == "status" for name, _ in told), 20)
    assert gallery.http.get(f"/api/v1/images/{FIRST}").status_code == 200
