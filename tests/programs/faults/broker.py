"""Which command to a broker is of which kind, and how it can fail."""

from tests.programs.faults.injecting import Injector
from tests.support.faulty.broker_between import Command, Lost, Rule

LOST = {"connection lost": Lost.BEFORE, "connection lost after": Lost.AFTER}
OOM = "OOM command not allowed when used memory > 'maxmemory'."
MISCONF = "MISCONF Valkey is configured to save RDB snapshots, but it's currently unable to persist to disk."
LOADING = "LOADING Valkey is loading the dataset in memory"
NOSCRIPT = "NOSCRIPT No matching script."
# Those that take memory; the broker refuses no others when it is full.
TAKES_MEMORY = frozenset(
    {"SET", "HSET", "HINCRBY", "INCRBY", "SADD", "LPUSH", "RPUSH", "ZADD", "EXEC", "PUBLISH", "SETEX", "XADD"}
)
# A client says these when it connects, and they tell nothing of its work.
GREETINGS = frozenset({"HELLO", "CLIENT", "AUTH", "SELECT", "PING", "COMMAND", "INFO", "ROLE"})


def kind_of(command: Command) -> str | None:
    """Such as "broker: HGETALL"; None for a greeting."""
    name = command[0].upper().decode()
    return None if name in GREETINGS else f"broker: {name}"


def errors_of(kind: str) -> tuple[str, ...]:
    """How commands of this kind can fail."""
    name = kind.removeprefix("broker: ")
    errors = (*LOST, LOADING)
    if name in TAKES_MEMORY:
        errors = (*errors, OOM, MISCONF)
    return (*errors, NOSCRIPT) if name == "EVALSHA" else errors


def failing_broker(injector: Injector) -> Rule:
    """For `broker_between`: answers as the injector says."""

    def rule(command: Command) -> Lost | str | None:
        kind = kind_of(command)
        error = None if kind is None else injector.meet(kind)
        return None if error is None else LOST.get(error, error)

    return rule
