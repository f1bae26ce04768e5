"""One machine: `lookalike up`, `down` and `logs`. Above the client, which finds a system by `lookalike.discovery`."""

from lookalike.local.down import down
from lookalike.local.logs import logs
from lookalike.local.up import up

__all__ = ["down", "logs", "up"]
