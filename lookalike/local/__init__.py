"""One machine: `lookalike up`, `down` and `logs`, and how other commands find what runs."""

from lookalike.discovery import RunningSystem, find_running, with_running
from lookalike.local.down import down
from lookalike.local.logs import logs
from lookalike.local.up import up

__all__ = ["RunningSystem", "down", "find_running", "logs", "up", "with_running"]
