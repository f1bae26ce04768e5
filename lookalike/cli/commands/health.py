"""`lookalike health`: whether it lives and whether it is ready, for people and for programs that start things again."""

import time
from typing import Annotated

import typer

from lookalike.cli.app import Data, Json, app
from lookalike.cli.output import say, show_json
from lookalike.client import Client
from lookalike.client.health import Health, programs_health, signs_health, with_readiness
from lookalike.client.status import Status
from lookalike.errors import LookalikeError, Misconfigured
from lookalike.local.supervision.supervisor_calls import programs_of
from lookalike.settings import Settings, read_settings
from lookalike.system.alive_file import read_health
from lookalike.system.data_folder import DataFolder
from lookalike.system.discovery import find_running, with_running
from lookalike.system.runtime_dir import socket_of


@app.command()
def health(
    live: Annotated[bool, typer.Option("--live", help="Only whether it lives: whether a restart would help.")] = False,
    ready: Annotated[bool, typer.Option("--ready", help="Only whether searches are answered.")] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Tell whether the system lives and is ready; exit code 1 if not. With LOOKALIKE_ALIVE_FILE: this one part."""
    if live and ready:
        raise Misconfigured("--live and --ready are two questions: without either both are asked.")
    settings = read_settings(data=data)
    found = _of_part(settings) if settings.alive_file is not None else _of_system(settings, only_live=live)
    if json:
        show_json(found.model_dump())
    else:
        _show(found, live=live, ready=ready)
    asked = [found.live] if live else [found.ready] if ready else [found.live, found.ready]
    if not all(asked):
        raise typer.Exit(1)


def _of_part(settings: Settings) -> Health:
    assert settings.alive_file is not None  # noqa: S101 (asked before)
    part = read_health(settings.alive_file, time.time())
    why = [part.trouble] if part.trouble else []
    return Health(live=part.lives, ready=part.lives and not part.trouble, why=why, parts={})


def _of_system(settings: Settings, *, only_live: bool) -> Health:
    running = find_running(settings) if settings.redis_url is None else None
    if running is None:
        status = _status(with_running(settings))
        lives = signs_health(status)
        return lives if only_live else with_readiness(lives, status)
    lives = programs_health(programs_of(running.supervisor_socket or socket_of(DataFolder(running.data))))
    return lives if only_live else with_readiness(lives, _status(settings))


def _status(settings: Settings) -> Status | LookalikeError:
    try:
        with Client(settings) as client:
            return client.status()
    except LookalikeError as error:
        return error


def _show(found: Health, *, live: bool, ready: bool) -> None:
    if not ready:
        say(f"live   {'yes' if found.live else 'no'}")
    if not live and found.ready is not None:
        say(f"ready  {'yes' if found.ready else 'no'}")
    for sentence in found.why:
        say(f"       {sentence}")
