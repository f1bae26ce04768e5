"""deploy/Dockerfile and docker-compose.yml as data: stages with their instructions, services with what they say."""

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

INSTRUCTION = re.compile(r"^([A-Z]+) (.*)$", re.DOTALL)
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


@dataclass(frozen=True)
class Stage:
    """One FROM: its name, what it stands on, and what is done in it."""

    name: str
    parent: str
    instructions: list[tuple[str, str]] = field(default_factory=list)


def stages_of(dockerfile: str) -> dict[str, Stage]:
    """All stages by name, in their order."""
    text = re.sub(r"^\s*#.*\n", "", dockerfile, flags=re.MULTILINE).replace("\\\n", " ")
    found: dict[str, Stage] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        matched = INSTRUCTION.match(line)
        if matched is None:
            raise ValueError(f"no instruction: {line}")
        word, rest = matched.groups()
        if word == "FROM":
            parent, _, name = rest.split()
            found[name] = stage = Stage(name, parent)
        else:
            stage.instructions.append((word, rest))
    return found


def words_of(text: str, environment: Mapping[str, str]) -> list[str]:
    """The words of an ENV or COPY, with variables filled in."""
    return shlex.split(re.sub(r"\$(\w+)", lambda name: environment.get(name[1], ""), text))


def command_of(text: str) -> list[str]:
    """The words of a CMD in its exec form."""
    return [str(word) for word in json.loads(text)]


def filled_in(text: str, given: Mapping[str, str]) -> str:
    """What compose makes of a text: variables filled in, `$$` as `$`. Raises KeyError for one that must be set."""

    def value(found: re.Match[str]) -> str:
        name, how, default = found.groups()
        if given.get(name):
            return given[name]
        if how == "?":
            raise KeyError(default)
        return default or ""

    return VARIABLE.sub(value, text).replace("$$", "$")


def services_of(compose: Path, given: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The services with all variables filled in; a name without a value gets that of the variable, or is left out."""
    services = _filled(yaml.safe_load(compose.read_text("utf-8"))["services"], given)
    for service in services.values():
        named = {name: given.get(name) if value is None else value for name, value in service["environment"].items()}
        service["environment"] = {name: value for name, value in named.items() if value is not None}
    return dict(services)


def in_order(services: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Names, each after all that it waits for."""
    order: list[str] = []
    while len(order) < len(services):
        ready = [
            name for name, said in services.items() if name not in order and set(said.get("depends_on", {})) <= {*order}
        ]
        if not ready:
            raise ValueError("services wait for each other")
        order += ready
    return order


def _filled(node: Any, given: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        return {key: _filled(value, given) for key, value in node.items()}
    if isinstance(node, list):
        return [_filled(value, given) for value in node]
    return filled_in(node, given) if isinstance(node, str) else node
