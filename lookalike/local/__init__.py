"""One machine: `lookalike up`, `down` and `logs`. A client finds a system by `lookalike.system.discovery`."""

from lookalike.local.down import down
from lookalike.local.logs import logs
from lookalike.local.up import up

__all__ = ["down", "logs", "up"]
