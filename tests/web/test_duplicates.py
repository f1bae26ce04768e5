"""Near-duplicates over HTTP: a job, the groups that it found, and a verdict."""

from tests.support.pictures import encoded, picture
from tests.support.waiting import wait_until
from tests.web.conftest import SECOND, Gallery

DUPLICATES = "/api/v1/duplicates"
ONE, COPY = "twins/one.png", "twins/a copy.png"


def test_copies_are_found_by_a_job_and_a_verdict_is_kept(gallery: Gallery) -> None:
    (gallery.library / "twins").mkdir()
    for name in (ONE, COPY):
        (gallery.library / name).write_bytes(encoded(picture(50, (300, 200))))
    gallery.client.sync([ONE, COPY]).result(20)

    sent = gallery.http.post(DUPLICATES, json={"labels": ["exact"]})
    assert (sent.status_code, sent.json()["kind"]) == (202, "duplicates")
    wait_until(lambda: gallery.http.get(sent.headers["location"]).json()["state"] not in ("queued", "started"), 60)
    found = gallery.http.get(DUPLICATES, params={"job": sent.json()["id"]}).json()
    summary = gallery.http.get(f"{sent.headers['location']}/result").json()["result"]
    said = gallery.http.post("/api/v1/verdicts", json={"a": ONE, "b": COPY, "verdict": "keep-both"})

    assert [set(group["paths"]) >= {ONE, COPY} for group in found["groups"]].count(True) == 1
    assert summary["groups"] >= 1
    assert said.json() == {"recorded": 1, "unchanged": 0}
    assert [verdict.verdict for verdict in gallery.client.verdicts()] == ["keep-both"]


def test_what_is_no_job_for_duplicates_is_refused(gallery: Gallery) -> None:
    search = gallery.http.post(
        "/api/v1/search", params={"wait": "false"}, json={"examples": [{"image": {"path": SECOND}}]}
    ).json()["id"]

    for job in ("none", search):
        assert gallery.http.get(DUPLICATES, params={"job": job}).status_code == 404
    assert gallery.http.post(DUPLICATES, json={"labels": []}).status_code == 422
    assert (
        gallery.http.post("/api/v1/verdicts", json={"a": "no.jpg", "b": "no2.jpg", "verdict": "same"}).status_code
        == 422
    )
