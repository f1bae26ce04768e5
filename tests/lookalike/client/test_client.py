"""What a client does by itself: it refuses what cannot be meant, and it ends what it opened. No worker runs."""

import gc
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from lookalike import Client, Closed, Example, Query, Refused
from lookalike.broker.reports import ProducerReport
from lookalike.broker.telemetry import Telemetry
from lookalike.client.queries.caller_paths import CallerPaths
from lookalike.redis_keys import Keys
from lookalike.settings import read_settings
from tests.support.pictures import encoded, picture

PICTURE = encoded(picture(1))


@pytest.fixture
def client(url: str, tmp_path: Path) -> Iterator[Client]:
    (tmp_path / "library").mkdir()
    with Client(read_settings(redis_url=url, library=tmp_path / "library")) as client:
        yield client


def sent(url: str, queue: str) -> int:
    with Redis.from_url(url) as redis:
        return int(redis.llen(queue))


@pytest.mark.parametrize("limit", [2.5, "3", True, False, math.nan, math.inf, None, 0, -1, 10**30, b"3", [3]])
def test_a_limit_that_is_no_number_of_neighbours_is_refused(client: Client, url: str, limit: Any) -> None:
    with pytest.raises(Refused, match=r"The limit is .* must be"):
        client.search(b"x", limit)
    assert sent(url, client.settings.keys.search) == 0


@pytest.mark.parametrize("offset", [-1, 10_001, 2.5, "3", True, None])
def test_an_offset_that_is_no_number_of_neighbours_is_refused(client: Client, url: str, offset: Any) -> None:
    with pytest.raises(Refused, match=r"The offset is .* must be a whole number from 0 to 10000"):
        client.search(b"x", offset=offset)
    assert sent(url, client.settings.keys.search) == 0


@pytest.mark.parametrize(
    ("image", "named", "said"),
    [
        (b"x", {"filter": {"camera": "x"}}, "filter: 'camera' is no field of a filter"),
        (b"x", {"filter": "width_px>100"}, "'width_px>100' is no condition"),
        (b"x", {"min_similarity": 1.1}, "min_similarity: Input should be less than or equal to 1"),
        (b"x", {"min_similarity": math.nan}, "min_similarity"),
        (b"x", {"exclude_self": "perhaps"}, "exclude_self"),
        ("https://example.org/cat.jpg", {}, r"'https://example.org/cat.jpg' is a URL, and lookalike fetches nothing"),
        (Example(b"x", id="no-id"), {}, "one of image, id and vector, and this one has image and id"),
        (Example(id="no-id"), {}, "examples.0.image.id: String should match pattern"),
        (Example(vector=[1.0, math.nan]), {}, "examples.0.image.vector.1: Input should be a finite number"),
        (Example(vector=[]), {}, "examples.0.image.vector: List should have at least 1 item"),
        (Example(vector=[0.5] * 65_537), {}, "examples.0.image.vector: List should have at most 65536 items"),
        ([Example(vector=[0.5] * 40_000)] * 2, {}, "vectors in the message may have 65536 numbers together"),
        (Example(vector=[1.0], box=(0, 0, 1, 1)), {}, "a point id and a vector have no picture"),
        (Example(b"x", box=(0, 0, 1, 1), box_px=(0, 0, 9, 9)), {}, "give box .fractions. or box_px .pixels., not both"),
        (Example(PICTURE, box_px=(0, 0, 65, 48)), {}, r"\[0, 0, 65, 48\] reaches outside the picture.* 64 x 48 pixels"),
        (Example(PICTURE, box_px=(9, 0, 9, 48)), {}, r"examples.0.box_px: a box is \[left, top, right, bottom\]"),
        (Example(PICTURE, box_px=(0, 0, 0.5, 48)), {}, "examples.0.box_px.2: Input should be a valid int"),  # type: ignore[arg-type]
        (b"x", {"score_threshold": math.nan}, "score_threshold"),
        (Example(b"x", box=(0, 0, 2, 1)), {}, "examples.0.box.2"),
        ({b"x": -1.0}, {}, "No example has a weight above 0"),
        ([b"x"] * 65, {}, "at most 64 items"),
    ],
)
def test_a_search_that_cannot_be_answered_is_refused_before_it_is_sent(
    client: Client, url: str, image: Any, named: dict[str, Any], said: str
) -> None:
    with pytest.raises(Refused, match=said):
        client.search(image, **named)
    # Of many it is refused alone, and nothing is sent for it.
    (answer,) = client.search_many([Query(image, **named)]).result()
    assert re.search(said, str(answer.error))
    assert sent(url, client.settings.keys.search) == 0


@pytest.mark.parametrize("queries", ["a.jpg", b"x", Example(b"x"), Query(b"x"), {b"x": 1.0}, 3, None])
def test_many_queries_are_a_list(client: Client, queries: Any) -> None:
    with pytest.raises(Refused, match="Many queries are a list of them"):
        client.search_many(queries)


@pytest.mark.parametrize("timeout_s", [math.nan, math.inf, -1, "3", True, 10**30, [1]])
def test_a_timeout_that_is_no_time_is_refused(client: Client, timeout_s: Any) -> None:
    with pytest.raises(Refused, match="The timeout is"):
        client.search(b"x", timeout_s=timeout_s)
    with pytest.raises(Refused, match="The timeout is"):
        client.sync(["a.png"]).result(timeout_s=timeout_s)


@pytest.mark.parametrize(
    "image", [None, 3, [], {}, [None], [[b"x"]], "", ".", "/dev/null", "n" * 300 + "/../../x", "/" + "n" * 5000]
)
def test_what_is_no_image_is_refused(client: Client, image: Any) -> None:
    with pytest.raises(Refused):
        client.search(image)


@pytest.mark.parametrize("path", ["n" * 5000, "a\0b", "\ud800.png", "../a.png", 3])
def test_what_can_be_no_path_is_refused(client: Client, path: Any) -> None:
    for ask in (client.search, lambda given: client.sync([given])):
        with pytest.raises(Refused) as caught:
            ask(path)
        assert len(str(caught.value)) < 500


def test_a_pipe_is_refused_and_not_waited_for(client: Client, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")

    with pytest.raises(Refused, match="no regular file"):
        client.search(tmp_path / "pipe.png")


def test_a_name_on_the_disk_and_a_path_of_the_index_are_told_apart(client: Client, tmp_path: Path) -> None:
    library = tmp_path / "library"
    (library / "caf\\xe9.png").write_bytes(b"")
    said = CallerPaths(client.settings.library).relative

    # Found on the disk, so it is the name; not found, so it is how the index says a byte.
    assert said(library / "caf\\xe9.png") == "caf\\x5cxe9.png"
    assert said("caf\\xe9.png") == "caf\\xe9.png"
    assert said(library / "b\\xe9.png") == "b\\xe9.png"
    assert said("caf\udce9.png") == "caf\\xe9.png"


def open_sockets() -> set[str]:
    links = (f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd"))  # noqa: PTH208
    return {os.readlink(link) for link in links if os.path.islink(link) and "socket" in os.readlink(link)}  # noqa: PTH114, PTH115


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux tells what is open")
def test_close_ends_everything_and_a_closed_client_says_so(url: str) -> None:
    before = open_sockets()
    with Client(read_settings(redis_url=url)) as client:
        job = client.sync(["a.png"])
        client.allow_removals()
        assert len(open_sockets() - before) > 0

    assert open_sockets() <= before
    for use in (
        client.status,
        client.allow_removals,
        job.result,
        lambda: client.search(b"x"),
        lambda: [*client.list()],
    ):
        with pytest.raises(Closed, match="make another one"):
            use()
    client.close()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux tells what is open")
def test_a_client_that_is_dropped_is_closed(url: str) -> None:
    before = open_sockets()

    # Warnings are errors here, those of sockets that were left open too.
    Client(read_settings(redis_url=url)).sync(["a.png"])
    gc.collect()

    assert open_sockets() <= before


def test_what_a_client_was_not_told_its_producer_reports(url: str) -> None:
    with Redis.from_url(url) as redis:
        telemetry = Telemetry(redis, Keys("lookalike"))
        telemetry.write_report(ProducerReport(library="/library", flower_url="http://127.0.0.1:5555"))

    with Client(read_settings(redis_url=url)) as client:
        status = client.status()

    assert (status.library, status.flower_url) == ("/library", "http://127.0.0.1:5555")
