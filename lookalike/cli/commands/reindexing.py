"""The command that changes the model or the metric while people search: reindex."""

import time
from dataclasses import asdict
from typing import Annotated

import typer
from rich.progress import TextColumn

from lookalike.broker.app import redis_of
from lookalike.broker.generations import GenerationState, Order, Reindex
from lookalike.cli.app import Data, Json, app
from lookalike.cli.output import progress_bar, say, show_json
from lookalike.client import Client
from lookalike.client.transports.results import broker_errors
from lookalike.errors import Refused
from lookalike.local.console import format_duration
from lookalike.local.servers.addresses import absolute_model
from lookalike.settings import Settings, read_settings

# `up` looks once a second; checking a model and its room takes some seconds on a busy machine.
BEGUN_WITHIN_S = 60.0
POLL_S = 0.2
NONE = "No reindex is under way: `lookalike reindex --model X` begins one."
STEPS: dict[str, Order] = {"switch": "switch", "cancel": "cancel", "drop_old": "drop"}


@app.command()
def reindex(
    model: Annotated[
        str | None, typer.Option(help="Path of an ONNX model, or the name of one; that which is searched if left out.")
    ] = None,
    distance: Annotated[
        str | None, typer.Option(help="cosine, dot, euclid or manhattan; that which is searched if left out.")
    ] = None,
    hold: Annotated[
        bool, typer.Option("--hold", help="Fill it in and leave the searches where they are until --switch.")
    ] = False,
    switch: Annotated[bool, typer.Option("--switch", help="Search what --hold held, once it is complete.")] = False,
    switch_back: Annotated[
        bool, typer.Option("--switch-back", help="Bring the index from before the switch up to date and search it.")
    ] = False,
    drop_old: Annotated[bool, typer.Option("--drop-old", help="Drop the index from before the switch.")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="End a reindex and leave nothing of it behind.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Return when it is held, switched or done.")] = False,
    data: Data = None,
    json: Json = False,
) -> None:
    """Fill in a second index by another model or metric while people search, then search that."""
    steps = {"switch": switch, "switch_back": switch_back, "drop_old": drop_old, "cancel": cancel}
    given = [f"--{name.replace('_', '-')}" for name, is_given in steps.items() if is_given]
    if len(given) > 1 or (given and (model or distance or hold)):
        raise typer.BadParameter("a step stands alone, without --model, --distance and --hold", param_hint=given[0])
    if distance is not None:
        # Refused by the settings, in one sentence.
        read_settings(distance=distance)
    with Client(data=data) as client:
        asking = Asking(client)
        for name, order in STEPS.items():
            if steps[name]:
                asking.order(order)
        if switch_back:
            asking.switch_back()
        elif not given:
            asking.begin(model, distance, hold=hold)
        found = asking.await_begun()
        if wait and found is not None and found.order:
            found = asking.await_end()
    if json:
        show_json(None if found is None else asdict(found))
    else:
        say(_told(found, given))


class Asking:
    """Asks the program that reindexes, through the broker. Raises Unreachable, Refused."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._settings: Settings = client.settings
        self._state = GenerationState(redis_of(self._settings), self._settings.keys)

    def begin(self, model: str | None, distance: str | None, *, hold: bool) -> None:
        """Asks for a second generation."""
        with broker_errors(_open):
            asked, served = self._state.read(), self._state.served()
        now_model, now_distance = self._settings.model, self._settings.distance
        if served is not None:
            now_model, now_distance = served.model, served.distance  # type: ignore[assignment]
        wanted = (absolute_model(model) if model else now_model, distance or now_distance)
        if asked is not None and asked.order:
            if (asked.model, asked.distance) == wanted:
                return
            raise Refused(
                f"A reindex to {asked.model}, {asked.distance} is under way: end it with `lookalike reindex --cancel`."
            )
        with broker_errors(_open):
            self._state.ask(*wanted, hold=hold)

    def switch_back(self) -> None:
        """Asks for the generation that is kept: it is caught up like any other, and has most of it already."""
        with broker_errors(_open):
            kept, asked = self._state.kept(), self._state.read()
            if kept is None:
                raise Refused("No index from before a switch is kept, so there is nothing to switch back to.")
            if asked is not None and asked.order:
                raise Refused("A reindex is under way: end it with `lookalike reindex --cancel`.")
            self._state.ask(kept.model, kept.distance, hold=False)

    def order(self, order: Order) -> None:
        """Asks for another step."""
        with broker_errors(_open):
            asked, kept = self._state.read(), self._state.kept()
            if order == "drop":
                if kept is None:
                    raise Refused("No index from before a switch is kept.")
                if asked is not None and asked.order:
                    raise Refused("A reindex is under way: end it with `lookalike reindex --cancel`, or wait.")
            elif asked is None or not asked.order:
                raise Refused(NONE)
            self._state.order(order)

    def await_begun(self) -> Reindex | None:
        """The reindex as soon as it has begun, or was refused; None once there is none. Raises Refused."""
        until_s = time.monotonic() + BEGUN_WITHIN_S
        while True:
            with broker_errors(_open):
                found = self._state.read()
                if time.monotonic() > until_s and found is not None and found.state == "asked":
                    self._state.end()
                    raise Refused(
                        "Nothing carries it out, so it is withdrawn: `lookalike up` does that on its machine, see "
                        "`lookalike logs reindex`; in containers `docker compose --profile reindex up` does."
                    )
            if found is None:
                return None
            if found.state == "refused" or (not found.order and found.why):
                raise Refused(found.why)
            if found.state not in ("asked", "checking") and found.order in ("", "fill", "switch"):
                return found
            time.sleep(POLL_S)

    def await_end(self) -> Reindex | None:
        """Waits, with a progress bar, until it is held or switched; None if it was cancelled. Raises Refused."""
        progress = progress_bar(TextColumn("{task.fields[eta]}"))
        with progress:
            bar = progress.add_task("reindex", total=None, eta="")
            while True:
                with broker_errors(_open):
                    found = self._state.read()
                if found is None:
                    return None
                if _is_at_its_end(found):
                    if found.state == "refused":
                        raise Refused(found.why)
                    return found
                eta = f"ETA {format_duration(found.eta_s)}"
                progress.update(bar, description=found.state, completed=found.done, total=found.total, eta=eta)
                time.sleep(POLL_S)


def _is_at_its_end(found: Reindex) -> bool:
    return not found.order or (found.state == "held" and found.order == "fill")


def _told(found: Reindex | None, given: list[str]) -> str:
    if found is None:
        return "Nothing of it is left."
    if given == ["--drop-old"]:
        return "The index from before the switch is dropped."
    if found.state == "switched":
        now = f"{found.model}, {found.distance}"
        return f"Searches are answered by {now}: --switch-back goes back, until --drop-old drops the one before."
    if found.state == "held":
        return "The second index is complete: `lookalike compare` asks both, --switch searches it, --cancel drops it."
    return f"The second index is {found.state}: `lookalike status` tells how far it is, --cancel ends it."


def _open() -> None:
    """Nothing closes these connections meanwhile."""
