"""What this machine lets a process of ours open and start, and how much of it a system needs."""

from lookalike.errors import Misconfigured

# What supervisord makes of a lower soft limit, if the hard one allows it.
FILES, PROCESSES = 1024, 200
# The store takes the most: 96 with 20,000 images in its index (2026-11-25); each worker process takes about 40.
NEEDED_FILES = 256


def files_limit() -> int | None:
    """How many files a process may open at most (the hard limit); None without a limit."""
    import resource  # noqa: PLC0415 (Windows has none, and only a client runs there)

    return _hard(resource.RLIMIT_NOFILE)


def processes_limit() -> int | None:
    """How many processes this user may have; None without a limit."""
    import resource  # noqa: PLC0415 (see above)

    return _hard(resource.RLIMIT_NPROC)


def need_files(allowed: int | None) -> None:
    """Raises Misconfigured if a process may not open as many files as a part needs."""
    if allowed is not None and allowed < NEEDED_FILES:
        raise Misconfigured(
            f"A process may open {allowed} files here and {NEEDED_FILES} are needed: raise the hard limit "
            "(`ulimit -Hn`, LimitNOFILE= in a systemd unit, `--ulimit nofile=` of a container)."
        )


def at_most(wanted: int, allowed: int | None) -> int:
    """What is wanted, as far as it is allowed."""
    return wanted if allowed is None else min(wanted, allowed)


def _hard(kind: int) -> int | None:
    import resource  # noqa: PLC0415 (see above)

    hard = resource.getrlimit(kind)[1]
    return None if hard == resource.RLIM_INFINITY else hard
