"""`python alive.py PART`: exit code 0 if that part said on the board, within the last seconds, that it is alive."""

import sys

from lookalike.broker import redis_of
from lookalike.settings import read_settings
from lookalike.telemetry import Telemetry


def main(part: str) -> int:
    """Exit code."""
    settings = read_settings()
    return 0 if Telemetry(redis_of(settings), settings.keys).count_alive([part])[part] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
