"""One machine: `lookalike up`, `down` and `logs`, and how other commands find what runs."""

from lookalike.local.down import down
from lookalike.local.logs import logs
from lookalike.local.running import Running, find_running, with_running
from lookalike.local.up import up

__all__ = ["Running", "down", "find_running", "logs", "up", "with_running"]
