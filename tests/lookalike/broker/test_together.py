"""Questions that are asked together have the answers that each would have alone, in one request."""

from typing import Any

from redis import Redis

from lookalike.broker.index_state import IndexState
from lookalike.broker.pause import Pause, PauseState
from lookalike.broker.telemetry import Telemetry, until_common_time_s
from lookalike.broker.together import Question, ask_together
from lookalike.redis_keys import Keys

KEYS = Keys("together")


def test_answers_stand_under_the_names_of_their_questions(redis: Redis) -> None:
    redis.set("a", "1")
    redis.hset("h", mapping={"x": "y"})
    questions: dict[str, Question[Any]] = {
        "number": Question(("GET", "a"), int),
        "none": Question(("GET", "nothing"), lambda found: found is None),
        "fields": Question(("HGETALL", "h"), lambda found: {name.decode() for name in found}),
        "many": Question(("MGET", "a", "nothing"), list),
    }

    found = ask_together(redis, questions)

    assert found == {"number": 1, "none": True, "fields": {"x"}, "many": [b"1", None]}
    assert found == {name: question.ask(redis) for name, question in questions.items()}


def test_what_is_added_is_done_and_answers_nothing(redis: Redis) -> None:
    found = ask_together(redis, {"before": Question(("GET", "b"), bool)}, also=lambda pipe: pipe.set("b", "1"))

    assert found == {"before": False}
    assert redis.get("b") == b"1"


def test_a_report_of_everything_takes_few_requests(redis: Redis) -> None:
    telemetry = Telemetry(redis, KEYS)
    PauseState(redis, KEYS).tell(Pause("battery"))
    telemetry.heartbeat("search", "search@here")
    before = int(redis.info("stats")["total_reads_processed"])

    report = telemetry.system_report()

    # What is counted is how often the server read from a socket; INFO is one of them.
    assert int(redis.info("stats")["total_reads_processed"]) - before <= 6
    assert report.pause == Pause("battery")
    assert report.alive == {"producer": 0, "ingest": 0, "search": 1, "duplicates": 0}


def test_a_store_that_is_away_leaves_a_trace_in_the_report(redis: Redis) -> None:
    telemetry, state = Telemetry(redis, KEYS), IndexState(redis, KEYS)
    before = telemetry.system_report()
    state.report_unavailable()

    assert telemetry.system_report() != before
    state.is_available_again(0.0)
    assert telemetry.system_report() == before


def test_a_heartbeat_in_a_pipeline_is_a_part_of_its_request(redis: Redis) -> None:
    telemetry = Telemetry(redis, KEYS)
    with redis.pipeline() as pipe:
        telemetry.heartbeat("ingest", "ingest@there", pipe)
        assert telemetry.count_alive(["ingest"]) == {"ingest": 0}
        pipe.execute()

    assert telemetry.count_alive(["ingest"]) == {"ingest": 1}


def test_common_times_are_multiples_and_never_now() -> None:
    assert [until_common_time_s(now_s, 5.0) for now_s in (0.0, 1.0, 4.5, 5.0, 12.0)] == [5.0, 4.0, 0.5, 5.0, 3.0]
