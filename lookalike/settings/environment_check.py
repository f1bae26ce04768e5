"""Finds variables of the environment that look like settings and are none: slips of the pen, and former names."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping

PREFIX = "LOOKALIKE_"
# Variables of ours that are no settings: what guarded processes inherit (lookalike/system/process_guard.py), what
# docker-compose.yml reads, and what the tests set.
OTHER_VARIABLES = frozenset(
    {
        "LOOKALIKE_GUARDIAN",
        "LOOKALIKE_UID",
        "LOOKALIKE_GID",
        "LOOKALIKE_TEST_MARK",
        "LOOKALIKE_REHEARSAL",
        "LOOKALIKE_ODD_PHOTOS",
    }
)
# Settings that were renamed to a word that is not spelled alike, so that no comparison of letters finds it.
FORMER_NAMES = {
    "LOOKALIKE_WORKERS": "LOOKALIKE_INGEST_PROCESSES",
    "LOOKALIKE_BATCH_LIMIT_S": "LOOKALIKE_TASK_TIME_LIMIT_S",
    "LOOKALIKE_DECODE_S": "LOOKALIKE_DECODE_TIMEOUT_S",
    "LOOKALIKE_SEARCH_S": "LOOKALIKE_SEARCH_TIMEOUT_S",
    "LOOKALIKE_GIVE_WAY_S": "LOOKALIKE_SEARCH_YIELD_S",
    "LOOKALIKE_INDEX_ABOVE": "LOOKALIKE_HNSW_THRESHOLD",
    "LOOKALIKE_BACKLOG_BATCHES": "LOOKALIKE_MAX_QUEUED_BATCHES",
    "LOOKALIKE_SUB_BATCH": "LOOKALIKE_INFERENCE_BATCH",
    "LOOKALIKE_MAX_REMOVED_SHARE": "LOOKALIKE_MAX_DELETED_SHARE",
    "LOOKALIKE_MAX_REMOVED_FILES": "LOOKALIKE_MAX_DELETED_FILES",
}
# Kubernetes sets these in every container of a namespace that has a service called "lookalike" or "lookalike-...", as
# Docker does for a link of that name: kubernetes.io/docs/concepts/services-networking/service, "Environment variables".
SERVICE_LINK = re.compile(r"LOOKALIKE_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)")
SERVICE_URL = re.compile(r"(tcp|udp|sctp)://")
# Share of letters in common from which a name counts as a slip of another one; 1 is the same.
NEAR = 0.7


def unknown_variables(environment: Mapping[str, str], known: Iterable[str]) -> Iterator[str]:
    """A fault for each variable with our prefix that is not among the known ones; an empty one counts as unset.

    Upper and lower case are one, as they are where the settings are read.
    """
    names = frozenset(known)
    for variable, value in environment.items():
        name = variable.upper()
        if not name.startswith(PREFIX) or not value or name in names or name in OTHER_VARIABLES:
            continue
        if SERVICE_LINK.fullmatch(name) or (name.endswith("_PORT") and SERVICE_URL.match(value)):
            continue
        nearest = _nearest(name, names)
        yield f"{variable}: there is no such setting" + (f" (did you mean {nearest}?)" if nearest else "")


def _nearest(name: str, known: Iterable[str]) -> str | None:
    if name in FORMER_NAMES:
        return FORMER_NAMES[name]
    # Without the prefix, which all have in common.
    words = [setting.removeprefix(PREFIX) for setting in known if setting.startswith(PREFIX)]
    found = difflib.get_close_matches(name.removeprefix(PREFIX), sorted(words), n=1, cutoff=NEAR)
    return PREFIX + found[0] if found else None
