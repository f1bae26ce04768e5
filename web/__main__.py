"""`python -m web`: reads the settings from the environment and serves until it gets SIGTERM or SIGINT."""

import argparse
import signal
import socket
import sys

import uvicorn

from lookalike.errors import LookalikeError, Misconfigured
from lookalike.log import log_to_stderr
from lookalike.settings import read_settings
from web.app import create_app, guarded
from web.server import Server

EXIT_FAILED = 1
# Requests take milliseconds; pages that follow events are left at once.
LAST_REQUESTS_S = 1
IDLE_CONNECTION_S = 75
# Of one browser six; more than these wait for nothing but memory.
MAX_CONNECTIONS = 1000


def main() -> int:
    """Runs the gallery; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m web", description="The gallery and the REST API.")
    parser.add_argument("--host", help="address to listen on (LOOKALIKE_WEB_HOST)")
    parser.add_argument("--port", type=int, help="port (LOOKALIKE_WEB_PORT)")
    given = parser.parse_args()
    try:
        settings = read_settings(web_host=given.host, web_port=given.port)
        log_to_stderr(log_format=settings.log_format)
        listener = listen(settings.web_host, settings.web_port)
        app = guarded(create_app(settings))
    except LookalikeError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_FAILED
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        # It would be that of the start; the guard sends one.
        date_header=False,
        timeout_keep_alive=IDLE_CONNECTION_S,
        timeout_graceful_shutdown=LAST_REQUESTS_S,
        limit_concurrency=MAX_CONNECTIONS,
    )
    # Uvicorn raises the signal again once all is answered.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    Server(config).run(sockets=[listener])
    return 0


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises Misconfigured."""
    try:
        family, *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise Misconfigured(
            f"The gallery cannot listen on {host}:{port} ({error.strerror}): change LOOKALIKE_WEB_HOST or "
            "LOOKALIKE_WEB_PORT."
        ) from error
    # Accepted connections inherit it: without it a body waits 40 ms for the acknowledgement of its head.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


if __name__ == "__main__":
    sys.exit(main())
