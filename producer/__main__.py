"""`python -m producer`: reads the settings from the environment and runs until it gets SIGTERM or SIGINT."""

import logging
import sys

from lookalike.errors import LookalikeError, Misconfigured
from lookalike.library.address import absolute
from lookalike.log import log_to_stderr
from lookalike.settings import read_settings
from producer.service import Service
from producer.shutdown import stop_on_signals

EXIT_FAILED = 1  # the settings are wrong, or a thread failed; the log says which


def main() -> int:
    """Runs the producer; returns the exit code."""
    try:
        service = _service()
    except LookalikeError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_FAILED
    log_to_stderr(log_format=service.settings.log_format)
    # Celery logs its own retries once a second, 20 times; we log once that the broker is unavailable.
    logging.getLogger("celery.backends").setLevel(logging.CRITICAL + 1)
    with stop_on_signals(service.stop):
        return 0 if service.run() else EXIT_FAILED


def _service() -> Service:
    settings = read_settings()
    if settings.library is None:
        raise Misconfigured("LOOKALIKE_LIBRARY is not set: name the folder with the images, or s3://bucket/prefix.")
    try:
        # The kernel would watch a link and not the folder behind it.
        return Service(settings, absolute(settings.library))
    except ValueError as error:
        raise Misconfigured(f"REDIS_URL cannot be used ({error}): write redis://HOST:PORT/0.") from error


if __name__ == "__main__":
    sys.exit(main())
