"""What the broker's libraries raise, as the errors that people see."""

import select
import socket
from typing import Any

import pytest
from redis import Redis

from lookalike import Closed, Refused, Unreachable
from lookalike.client.transports.results import broker_errors


def wait_on_a_closed_socket() -> None:
    ends = socket.socketpair()
    for end in ends:
        end.close()
    select.select([ends[0]], [], [], 0)


def closed() -> None:
    raise Closed("The client was closed while this was under way: make another one.")


def test_a_socket_that_was_closed_under_a_thread_tells_that_the_client_was_closed() -> None:
    with pytest.raises(Closed), broker_errors(closed):
        wait_on_a_closed_socket()
    with pytest.raises(ValueError, match="file descriptor"), broker_errors(lambda: None):
        wait_on_a_closed_socket()


def test_a_connection_that_breaks_is_an_unreachable_broker() -> None:
    with pytest.raises(Unreachable, match="The broker does not answer"), broker_errors(lambda: None):
        raise ConnectionResetError("gone")


def test_a_connection_that_another_thread_closes_before_the_answer_is_read_tells_that_the_client_was_closed(
    redis: Redis,
) -> None:
    def ask_and_lose_the_connection() -> None:
        connection: Any = redis.connection_pool.get_connection()
        connection.send_command("PING")
        connection.disconnect()
        # Reconnects before a command, not before an answer.
        connection.read_response()

    with pytest.raises(Closed), broker_errors(closed):
        ask_and_lose_the_connection()
    with pytest.raises(AttributeError), broker_errors(lambda: None):
        ask_and_lose_the_connection()


def test_the_error_of_a_worker_that_was_read_already_stays_what_it_is() -> None:
    with pytest.raises(Refused, match="a worker's"), broker_errors(closed):
        raise Refused("a worker's sentence")
