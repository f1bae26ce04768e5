"""Searches over HTTP, and the jobs that they leave."""

import base64
import json
import uuid
from typing import Any

import pytest

from tests.support.pictures import encoded, picture
from tests.web.conftest import BROKEN, FIRST, SECOND, TURNED, Gallery

SEARCH = "/api/v1/search"
PHOTO = encoded(picture(0, (640, 480)), "JPEG")


def paths(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [neighbour["path"] for neighbour in answer.json()["neighbours"]]


def test_a_path_of_the_library_finds_itself_first_and_all_others(gallery: Gallery) -> None:
    found = gallery.http.post(SEARCH, json={"examples": [{"image": {"path": FIRST}}]})

    assert paths(found)[0] == FIRST
    assert set(paths(found)) >= {FIRST, SECOND, TURNED}
    best = found.json()["neighbours"][0]
    assert best["similarity"] == pytest.approx(1.0, abs=1e-3)
    assert (best["payload"]["width_px"], best["payload"]["height_px"]) == (640, 480)


def test_an_image_that_is_sent_finds_its_file(gallery: Gallery) -> None:
    found = gallery.http.post(SEARCH, files={"image": PHOTO}, data={"query": '{"limit": 1}'})

    assert paths(found) == [FIRST]


def test_all_options_of_a_query_count(gallery: Gallery) -> None:
    query = {"filter": {"folder": "suns"}, "exclude_self": True, "min_similarity": 0.01}
    found = gallery.http.post(SEARCH, json={"examples": [{"image": {"path": FIRST}}], **query})

    assert paths(found) == [SECOND]


def test_paths_and_images_of_a_form_are_examples_together(gallery: Gallery) -> None:
    found = gallery.http.post(SEARCH, files={"image": PHOTO}, data={"path": FIRST, "query": '{"exclude_self": true}'})

    assert FIRST not in paths(found)


def test_an_example_names_the_file_of_a_form_by_its_key(gallery: Gallery) -> None:
    key = str(uuid.uuid4())
    query = {
        "examples": [{"image": {"key": key}, "box": [0, 0, 0.5, 0.5]}, {"image": {"path": SECOND}, "weight": -0.5}]
    }
    found = gallery.http.post(SEARCH, files={key: PHOTO}, data={"query": json.dumps(query)})

    assert set(paths(found)) >= {FIRST, SECOND, TURNED}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"examples": []}, "examples"),
        ({"examples": [{"image": {"path": "none.jpg"}}]}, "'none.jpg' is neither a file here nor in the index"),
        ({"examples": [{"image": {"path": BROKEN}}]}, "was rejected"),
        ({"examples": [{"image": {"path": "../secret"}}]}, "not a path inside the library"),
        ({"examples": [{"image": {"path": "/etc/passwd"}}]}, "not a path inside the library"),
        ({"examples": [{"image": {"key": str(uuid.uuid4())}}]}, "no file with the name"),
        ({"examples": [{"image": {"url": "http://127.0.0.1/"}}]}, "is a URL"),
        ({"examples": [{"image": {"path": FIRST}}], "limit": 0}, "limit"),
        ({"examples": [{"image": {"path": FIRST}}], "limit": 10**6}, "LOOKALIKE_MAX_LIMIT"),
        ({"examples": [{"image": {"path": FIRST}}], "top": 3}, "top"),
        ({"examples": [{"image": {"base64": base64.b64encode(b"text").decode()}}]}, "cannot be searched with"),
        ([1], "no search"),
    ],
)
def test_a_query_at_fault_is_refused_with_one_sentence(gallery: Gallery, body: Any, says: str) -> None:
    refused = gallery.http.post(SEARCH, json=body)

    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
    assert says in refused.json()["detail"]
    assert refused.json()["status"] == 422


def test_a_file_of_this_machine_is_not_read_for_a_path(gallery: Gallery) -> None:
    """The client would take a path for a file here first; a page's path is one of the library."""
    secret = gallery.data / "secret.png"
    secret.parent.mkdir(exist_ok=True)
    secret.write_bytes(encoded(picture(0)))

    for path in (str(secret), "secret.png"):
        assert gallery.http.post(SEARCH, json={"examples": [{"image": {"path": path}}]}).status_code == 422


def test_what_is_no_image_and_too_many_bytes_are_refused(gallery: Gallery) -> None:
    text = gallery.http.post(SEARCH, files={"image": b"no image"})
    large = gallery.http.post(SEARCH, files={"image": bytes(1_000_001)})

    assert text.status_code == 422
    assert "not an image" in text.json()["detail"]
    assert large.status_code == 413
    assert "LOOKALIKE_MAX_QUERY_BYTES" in large.json()["detail"]


def test_a_job_is_followed_and_its_answer_fetched_once(gallery: Gallery) -> None:
    sent = gallery.http.post(SEARCH, params={"wait": "false"}, json={"examples": [{"image": {"path": FIRST}}]})
    result = gallery.http.get(f"{sent.headers['location']}/result")

    assert sent.status_code == 202
    assert sent.json()["kind"] == "search"
    assert result.json()["result"]["neighbours"][0]["path"] == FIRST
    assert gallery.http.get(sent.headers["location"]).status_code == 404


def test_a_job_that_no_worker_has_begun_is_cancelled(gallery: Gallery) -> None:
    with gallery.worker_stopped():
        sent = gallery.http.post(SEARCH, params={"wait": "false"}, json={"examples": [{"image": {"path": FIRST}}]})
        state = gallery.http.get(sent.headers["location"]).json()["state"]
        cancelled = gallery.http.delete(sent.headers["location"]).json()["cancelled"]
        after = gallery.http.get(sent.headers["location"]).json()["state"]

    assert (state, cancelled, after) == ("queued", True, "cancelled")
    assert gallery.http.get(f"{sent.headers['location']}/result").status_code == 409


def test_a_sample_is_of_a_folder_if_one_is_named(gallery: Gallery) -> None:
    assert gallery.http.get("/api/v1/sample", params={"folder": "suns"}).json()["paths"] == [SECOND]
    assert gallery.http.get("/api/v1/sample", params={"folder": "../x"}).status_code == 422
