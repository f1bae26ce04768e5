"""What every transport promises a client, kept by the real one over Valkey and Celery and by the one in memory."""

from typing import Any

import pytest

from lookalike import Cancelled, Client, Closed, Example, Query, Refused
from tests.support.pictures import encoded, picture
from tests.worker.tasks.transports.sides import NAMES, Side, paths


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
