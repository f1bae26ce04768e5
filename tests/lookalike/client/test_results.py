"""What the broker's libraries raise, as the errors that people see."""

import select
import socket

import pytest

from lookalike import Closed, Unreachable
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
