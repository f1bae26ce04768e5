"""Near-duplicates over HTTP: a job, the groups that it found, what to keep of them, and a verdict."""

import csv
import io
from collections.abc import Iterator

import pytest

from tests.support.pictures import encoded, picture
from tests.support.waiting import wait_until
from tests.web.conftest import SECOND, Gallery

DUPLICATES = "/api/v1/duplicates"
ONE, COPY = "twins/one.png", "twins/a copy.png"


@pytest.fixture(scope="module")
def job(gallery: Gallery) -> Iterator[str]:
    """The path of a job that compared two copies."""
    (gallery.library / "twins").mkdir()
    for name in (ONE, COPY):
        (gallery.library / name).write_bytes(encoded(picture(50, (300, 200))))
    gallery.client.sync([ONE, COPY]).result(20)
    sent = gallery.http.post(DUPLICATES, json={"labels": ["exact"]})
    assert (sent.status_code, sent.json()["kind"]) == (202, "duplicates")
    where = sent.headers["location"]
    wait_until(lambda: gallery.http.get(where).json()["state"] not in ("queued", "started"), 60)
    yield where
    for name in (ONE, COPY):
        (gallery.library / name).unlink()
    gallery.client.sync([ONE, COPY]).result(20)


def test_what_a_job_found_is_there_after_its_answer_was_fetched(gallery: Gallery, job: str) -> None:
    fields = {"job": job.rpartition("/")[2]}
    summary = gallery.http.get(f"{job}/result").json()["result"]

    found = gallery.http.get(DUPLICATES, params=fields).json()

    assert gallery.http.get(job).status_code == 404
    assert [set(group["paths"]) >= {ONE, COPY} for group in found["groups"]].count(True) == 1
    assert summary["groups"] >= 1
    assert gallery.http.get(DUPLICATES, params={**fields, "page": 7}).status_code == 404


def test_the_plan_follows_the_rule_and_what_is_said(gallery: Gallery, job: str) -> None:
    fields = {"job": job.rpartition("/")[2], "keep": "in:twins"}
    ours = {"a": ONE, "b": COPY}

    def actions() -> dict[str, str]:
        groups = gallery.http.get(f"{DUPLICATES}/plan", params=fields).json()["groups"]
        return {
            file["path"]: file["action"] for group in groups for file in group["files"] if file["path"] in (ONE, COPY)
        }

    before = actions()
    said = gallery.http.post("/api/v1/verdicts", json={**ours, "verdict": "keep-both"})
    after = actions()
    told = gallery.http.get(f"{DUPLICATES}/plan", params=fields).json()["verdicts"]
    withdrawn = gallery.http.post("/api/v1/verdicts", json={**ours, "verdict": "none"})

    assert sorted(before.values()) == ["keep", "move"]
    assert said.json() == withdrawn.json() == {"recorded": 1, "unchanged": 0}
    assert {*after.values()} == {"keep"}
    assert [verdict["verdict"] for verdict in told] == ["keep-both"]
    assert gallery.http.get(f"{DUPLICATES}/plan", params=fields).json()["verdicts"] == []
    protected = gallery.http.get(f"{DUPLICATES}/plan.json", params={**fields, "protect": "twins"}).json()
    assert (protected["protected"], protected["files"]) == (["twins"], 0)


def test_the_whole_plan_is_a_table_json_or_a_script(gallery: Gallery, job: str) -> None:
    fields = {"job": job.rpartition("/")[2]}
    table, whole, script = (
        gallery.http.get(f"{DUPLICATES}/plan.{form}", params=fields) for form in ("csv", "json", "sh")
    )

    rows = list(csv.DictReader(io.StringIO(table.text)))
    planned = [file["path"] for group in whole.json()["plan"] for file in group["files"]]
    assert [row["path"] for row in rows] == planned
    assert {ONE, COPY} <= {*planned}
    assert script.text.startswith("#!/bin/sh\n")
    assert script.text.count("\nmove '") == whole.json()["files"] == sum(row["action"] == "move" for row in rows)
    assert f"library='{gallery.library}'" in script.text
    for one, name in ((table, "plan.csv"), (whole, "plan.json"), (script, "plan.sh")):
        assert one.headers["content-disposition"] == f'attachment; filename="{name}"'


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [("keep", "newest", "is no rule"), ("keep", "in:../x", "..:"), ("protect", "../x", "../x")],
)
@pytest.mark.parametrize("form", ["", ".csv"])
def test_what_is_no_rule_or_folder_is_refused(
    gallery: Gallery, job: str, form: str, field: str, value: str, says: str
) -> None:
    refused = gallery.http.get(f"{DUPLICATES}/plan{form}", params={"job": job.rpartition("/")[2], field: value})

    assert refused.status_code == 422
    assert says.rstrip(":") in refused.json()["detail"]


def test_what_is_no_job_for_duplicates_is_refused(gallery: Gallery) -> None:
    search = gallery.http.post(
        "/api/v1/search", params={"wait": "false"}, json={"examples": [{"image": {"path": SECOND}}]}
    ).json()["id"]

    for job in ("none", search):
        for path in (DUPLICATES, f"{DUPLICATES}/plan", f"{DUPLICATES}/plan.csv"):
            assert gallery.http.get(path, params={"job": job}).status_code == 404
    assert gallery.http.post(DUPLICATES, json={"labels": []}).status_code == 422
    assert (
        gallery.http.post("/api/v1/verdicts", json={"a": "no.jpg", "b": "no2.jpg", "verdict": "same"}).status_code
        == 422
    )
