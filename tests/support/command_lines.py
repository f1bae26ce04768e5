"""What tells the processes of a system from one another."""

import socket

from lookalike.local.supervision.processes import node_name

SUPERVISOR = "lookalike.local.supervision.forking"


def worker_word(part: str, system: str = "lookalike") -> str:
    """What the main process of a worker and its children carry."""
    return node_name(part, system).replace("%h", socket.gethostname())


def carries(command: list[str], word: str) -> bool:
    """Whether it is the word of the command: a module, the file of a program, or a worker's name in Celery's title."""
    # A title that was set is one word.
    said = " ".join(command).replace("\0", " ").split()
    return any(one == word or one.endswith(f"/{word}") or one.startswith(f"{word}:") for one in said)
