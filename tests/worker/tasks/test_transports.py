"""What every transport promises a client, kept by the real one over Valkey and Celery and by the one in memory."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import pytest

from lookalike import Cancelled, Client, Closed, Example, Job, NoSuchJob, Query, Refused, TimedOut
from lookalike.messages import SyncReply
from lookalike.settings import read_settings
from lookalike.testing import InMemoryTransport
from tests.support.pictures import encoded, picture
from tests.support.waiting import wait_until
from tests.worker.tasks.conftest import System, stopped

NAMES = [f"kept/{seed}.png" for seed in range(300, 306)]


@dataclass
class Side:
    """A system with six pictures and one rejected file; `client` makes one as another process would."""

    client: Callable[..., Client]
    held: Callable[[], AbstractContextManager[None]]


@pytest.fixture(params=["celery", "memory"])
def side(request: pytest.FixtureRequest) -> Side:
    return celery_side(request.getfixturevalue("system")) if request.param == "celery" else memory_side()


@pytest.fixture
def client(side: Side) -> Iterator[Client]:
    with side.client() as client:
        yield client


def celery_side(system: System) -> Side:
    (system.root / "kept").mkdir(exist_ok=True)
    for seed, name in enumerate(NAMES, 300):
        system.path(seed, name)
    (system.root / "kept" / "bad.png").write_bytes(b"nothing")
    system.client.sync([*NAMES, "kept/bad.png"]).result(timeout_s=20)
    return Side(lambda **own: Client(system.settings.model_copy(update=own)), lambda: stopped(system))


def memory_side() -> Side:
    transport = InMemoryTransport()
    for seed, name in enumerate(NAMES, 300):
        transport.add(name, encoded(picture(seed)), format="PNG", width_px=64, height_px=48)
    transport.reject("kept/bad.png", "it is not an image of a known format")
    return Side(lambda **own: Client(read_settings(**own), transport=transport), transport.held)


def paths(client: Client, *asked: Any, **named: Any) -> list[str]:
    return [found.path for found in client.search(*asked, **named).result(timeout_s=20)]


def test_a_search_finds_its_image_first_by_path_and_by_bytes(client: Client) -> None:
    for image in (NAMES[3], encoded(picture(303)), Example(NAMES[3], 2.0)):
        (found, *others) = client.search(image, 3, filter={"folder": "kept"}).result(timeout_s=20)

        assert (found.path, len(others)) == (NAMES[3], 2)
        assert found.score == pytest.approx(1, abs=1e-3)
        assert found.similarity == pytest.approx(1, abs=1e-3)
        assert (found.payload["format"], found.payload["width_px"], found.payload["folders"]) == ("PNG", 64, ["kept"])


def test_a_search_by_copy_finds_its_image_first(client: Client) -> None:
    for image in (NAMES[1], encoded(picture(301))):
        found = client.search(image, by="copy").result(timeout_s=20)
        assert found[0].path == NAMES[1]
        assert found[0].similarity == pytest.approx(1.0, abs=1e-4)
    with pytest.raises(Refused, match="by"):
        client.search(NAMES[1], by="colour")  # type: ignore[arg-type]


def test_pages_filters_and_thresholds_choose(client: Client) -> None:
    kept = {"folder": "kept"}
    whole = paths(client, NAMES[0], filter=kept)

    assert sorted(whole) == NAMES
    assert paths(client, NAMES[0], 2, offset=3, filter=kept) == whole[3:5]
    assert paths(client, NAMES[0], score_threshold=0.99999, filter=kept) == NAMES[:1]
    assert paths(client, NAMES[0], filter=kept | {"width_px": {"gte": 65}}) == []
    assert paths(client, NAMES[0], filter=kept | {"format": "png", "height_px": 48}) == whole


def test_ids_vectors_pixels_and_copies_are_asked_for(client: Client) -> None:
    kept = "folder=kept format=PNG"
    first, second, *_ = client.search(NAMES[0], filter=kept).result(timeout_s=20)

    assert paths(client, Example(id=second.id), 1) == [second.path]
    assert second.path not in paths(client, Example(id=second.id), exclude_self=True)
    assert NAMES[2] not in paths(client, encoded(picture(302)), exclude_self=True, filter=["folder=kept"])
    assert (
        paths(client, NAMES[0], filter={"path": "kept/30[1-3].png"}, min_similarity=0.0, limit=2)
        == [name for name in paths(client, NAMES[0], filter=kept) if name in NAMES[1:4]][:2]
    )
    assert paths(client, Example(encoded(picture(303)), box_px=(0, 0, 64, 48)), 1, filter="orientation=landscape")
    (alone,) = client.search(NAMES[4], 1, group_exact=True).result(timeout_s=20)
    assert (alone.path, alone.paths, first.paths) == (NAMES[4], (NAMES[4],), ())
    with pytest.raises(Refused, match="The vector has 3 numbers, and those of the index have"):
        paths(client, Example(vector=[1.0, 2.0, 3.0]))
    nothing = client.search(NAMES[0], filter=kept, min_similarity=1.0, exclude_self=True).result(timeout_s=20)
    assert (nothing, "Nothing is similar enough" in str(nothing.note)) == ([], True)


def test_many_searches_are_answered_in_their_order_and_faults_stand_alone(client: Client) -> None:
    query = Query([NAMES[1], NAMES[2]], limit=2, filter="folder=kept", exclude_self=True)
    asked: list[Any] = [
        NAMES[0],
        "nowhere.png",
        encoded(picture(301)),
        "http://a.org/a.png",
        query,
        "kept/bad.png",
    ]

    searches = client.search_many(asked, limit=3, filter="folder=kept")
    answers = searches.result(timeout_s=20)

    alone = [client.search(image, 3, filter="folder=kept") for image in asked[:3:2]]
    assert [answers[0].neighbours, answers[2].neighbours] == [job.result(timeout_s=20) for job in alone]
    assert not {NAMES[1], NAMES[2]} & {found.path for found in answers[4].neighbours}
    assert [str(answer.error)[:30] for answer in answers[1::2]] == [
        "'nowhere.png' is neither a file here nor in the index."[:30],
        "'http://a.org/a.png' is a URL, and"[:30],
        "'kept/bad.png' was rejected: it is not"[:30],
    ]
    assert (len(searches), searches.progress, len(searches.jobs), [*searches]) == (6, 1.0, 1, answers)
    assert searches.jobs[0].status().state == "done"


def test_many_searches_are_several_messages_and_any_process_finds_one_by_its_id(side: Side) -> None:
    with side.client(max_batch_queries=2) as few, side.client() as other:
        with side.held():
            searches = few.search_many(NAMES, limit=1)
            # The rest is sent as the answers are read.
            assert [job.status().kind for job in searches.jobs] == ["search_many"] * 2
            assert [job.status().state for job in searches.jobs] == ["queued"] * 2
        assert [answer.neighbours[0].path for answer in searches] == NAMES
        again = few.search_many(NAMES, limit=1)
        answers = other.job(again.jobs[0].id).result(timeout_s=20)
        assert [answer.neighbours[0].path for answer in answers] == NAMES[:2]


def test_many_searches_are_cancelled_as_long_as_they_have_not_begun(side: Side, client: Client) -> None:
    with side.held():
        searches = client.search_many([encoded(picture(301)), NAMES[0]])
        assert searches.cancel()
    with pytest.raises(Cancelled, match="cancelled before a worker began it"):
        searches.result(timeout_s=20)
    assert client.search_many([]).result() == []


def test_what_is_refused_stays_so_for_everybody_who_asks(side: Side, client: Client) -> None:
    job = client.search("kept/bad.png")

    for _ in range(2):
        with pytest.raises(Refused, match=r"'kept/bad.png' was rejected: it is not an image"):
            job.result(timeout_s=20)
    assert job.status().state == "failed"
    with side.client() as other, pytest.raises(Refused, match="was rejected"):
        other.job(job.id).result(timeout_s=20)


def test_another_process_reads_the_answer_of_a_job_with_its_type(side: Side, client: Client) -> None:
    search, sync = client.search(NAMES[1], 1), client.sync([NAMES[1], NAMES[2]])

    with side.client() as other:
        (found,) = other.job(search.id).result(timeout_s=20)
        reply = other.job(sync.id).result(timeout_s=20)

    assert (found.path, reply) == (NAMES[1], SyncReply(unchanged=2))


def test_a_job_that_is_done_says_so_and_when_it_was_sent(side: Side, client: Client) -> None:
    job = client.search(NAMES[1], 1)

    wait_until(lambda: job.status().state == "done")
    before = job.status()
    assert (before.id, before.kind, before.progress) == (job.id, "search", None)
    answer = job.result(timeout_s=20)

    after = job.status()
    assert after.state == "done"
    assert abs((after.sent_at - before.sent_at).total_seconds()) < 0.1
    assert job.result() is answer
    assert not job.cancel()
    with side.client() as other, pytest.raises(NoSuchJob, match="its answer was fetched"):
        other.job(job.id)


@pytest.mark.parametrize("job", ["5f0c9a4e-6d1b-4b0e-9d59-7a1f0e2b8c11", "", "../x", "x" * 1000, 3])
def test_an_unknown_id_is_told_in_one_sentence(client: Client, job: Any) -> None:
    with pytest.raises(NoSuchJob, match="There is no job") as caught:
        client.job(job)
    assert len(str(caught.value)) < 300


def test_what_has_not_begun_is_cancelled_and_never_begun(side: Side, client: Client) -> None:
    with side.held():
        jobs: list[Job[Any]] = [client.search(NAMES[0], 1), client.search(encoded(picture(301)), 1), client.sync(NAMES)]
        assert [job.status().state for job in jobs] == ["queued"] * 3
        with side.client() as other:
            assert all(other.job(job.id).cancel() for job in jobs)
        assert all(job.cancel() for job in jobs)
        for job in jobs:
            with pytest.raises(Cancelled, match="cancelled before a worker began it"):
                job.result(timeout_s=20)

    # All of them were taken by now.
    assert paths(client, NAMES[0], 1) == NAMES[:1]
    assert client.sync(NAMES[:1]).result(timeout_s=20) == SyncReply(unchanged=1)
    for job in jobs:
        assert job.status().state == "cancelled"
        with pytest.raises(Cancelled):
            job.result(timeout_s=20)


def test_who_waits_for_a_job_hears_at_once_that_it_was_cancelled(side: Side, client: Client) -> None:
    heard: list[Exception] = []

    def wait(job: Any) -> None:
        try:
            job.result(timeout_s=60)
        except Cancelled as error:
            heard.append(error)

    with side.held():
        job = client.search(NAMES[0], timeout_s=60)
        thread = threading.Thread(target=wait, args=(job,))
        thread.start()
        with side.client() as other:
            assert other.job(job.id).cancel()
        thread.join(30)

    assert len(heard) == 1


def test_what_is_not_begun_in_time_is_expired_and_no_more_to_be_cancelled(side: Side, client: Client) -> None:
    with side.held():
        job = client.search(encoded(picture(301)), timeout_s=0.3)
        wait_until(lambda: job.status().state == "expired")
        assert not job.cancel()
    with pytest.raises(TimedOut):
        job.result(timeout_s=20)
    assert job.status().state == "expired"


def test_what_was_cancelled_stays_so_when_its_time_is_over(side: Side, client: Client) -> None:
    with side.held():
        cancelled, late = (client.search(encoded(picture(301)), timeout_s=0.3) for _ in range(2))
        assert cancelled.cancel()
        wait_until(lambda: late.status().state == "expired")
    # Both were taken by now.
    assert paths(client, NAMES[0], 1) == NAMES[:1]

    with pytest.raises(Cancelled):
        cancelled.result(timeout_s=20)
    with pytest.raises(TimedOut):
        late.result(timeout_s=20)
    assert [job.status().state for job in (cancelled, late)] == ["cancelled", "expired"]


def test_the_index_is_read(client: Client) -> None:
    listed = {file.path: file.status for file in client.list() if file.path.startswith("kept/")}

    assert listed == dict.fromkeys(NAMES, "indexed") | {"kept/bad.png": "rejected"}
    assert client.status().parts["broker"] == "up"
    assert client.known([NAMES[0], "nowhere.png"]).keys() == {NAMES[0]}
    (bad,) = [file for file in client.rejected() if file.path == "kept/bad.png"]
    assert bad.reason is not None
    assert "not an image of a known format" in bad.reason
    assert client.retry(["kept/bad.png"]) == 1
    client.allow_removals()


def test_after_close_every_call_says_so(side: Side) -> None:
    client = side.client()
    job = client.search(NAMES[0])
    client.close()

    for use in (client.status, lambda: client.job(job.id), job.result, job.status, job.cancel, client.allow_removals):
        with pytest.raises(Closed, match="make another one"):
            use()


def test_what_is_said_of_two_files_is_remembered_and_read(client: Client) -> None:
    said = client.verdict(NAMES[0], NAMES[1], "same", better=NAMES[1])
    again = client.verdict(NAMES[1], NAMES[0], "same", better=NAMES[1])
    other = client.verdict(NAMES[2], NAMES[1], "keep-both")
    known = list(client.verdicts())

    assert (said.recorded, again.unchanged, other.recorded) == (1, 1, 1)
    assert {each.verdict: {each.path_a, each.path_b} for each in known} == {
        "same": {NAMES[0], NAMES[1]},
        "keep-both": {NAMES[1], NAMES[2]},
    }
    assert client.import_verdicts(known).unchanged == 2
    assert client.verdict(NAMES[0], NAMES[1], "none").recorded == 1
    assert client.verdict(NAMES[2], NAMES[1], "none").recorded == 1
    assert {each.verdict for each in client.verdicts()} == {"none"}


@pytest.mark.parametrize(
    ("a", "b", "verdict", "named", "words"),
    [
        (NAMES[0], NAMES[1], "equal", {}, "'equal' is no verdict: say one of not-duplicates, keep-both, same, none"),
        (NAMES[0], NAMES[0], "keep-both", {}, "is one file: name two"),
        (NAMES[0], NAMES[1], "same", {}, "`same` needs to be told which one is better"),
        (NAMES[0], NAMES[1], "keep-both", {"better": NAMES[0]}, "and no other verdict does"),
        (NAMES[0], NAMES[1], "same", {"better": NAMES[2]}, "is none of both"),
        (NAMES[0], "nowhere.png", "keep-both", {}, "'nowhere.png' is not in the index: name two indexed files"),
        (NAMES[0], "kept/bad.png", "keep-both", {}, "'kept/bad.png' is not in the index"),
    ],
)
def test_a_verdict_that_makes_no_sense_is_refused(
    client: Client, a: str, b: str, verdict: Any, named: dict[str, Any], words: str
) -> None:
    with pytest.raises(Refused, match=words):
        client.verdict(a, b, verdict, **named)
