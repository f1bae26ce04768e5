"""The order of the checks: those first that the others depend on. Calls the modules of this folder."""

import os
from collections.abc import Iterator

from lookalike.data_folder import DataFolder, data_folder
from lookalike.discovery import find_running, with_running
from lookalike.doctor.binaries import broker_program, model
from lookalike.doctor.environment import certificates, limits, output, proxies, temporary
from lookalike.doctor.host import processor, python, watching
from lookalike.doctor.packages import extra, missing_packages, versions
from lookalike.doctor.result import CheckResult, broken
from lookalike.doctor.servers import broker, parts, store
from lookalike.doctor.storage import data, disk, library, ports
from lookalike.errors import Misconfigured
from lookalike.parts import EXTRAS
from lookalike.settings import Settings


def check_machine(settings: Settings) -> Iterator[CheckResult]:
    """Each result as soon as it is known. Changes nothing on this machine; a wrong setup is a result, not an error."""
    yield python()
    yield versions()
    lacking = {name: missing_packages(name) for name in EXTRAS}
    yield from (extra(name, missing) for name, missing in lacking.items())
    yield processor()
    yield limits()
    yield output()
    yield temporary()
    yield certificates(os.environ)
    try:
        running = find_running(settings)
        whole = with_running(settings) if running is not None else settings
    except Misconfigured as error:
        yield broken("system", "more than one runs here", str(error))
        return
    folder = data_folder(settings) if running is None else DataFolder(running.data)
    yield proxies(whole, os.environ)
    yield data(folder)
    yield disk(folder)
    yield library(whole, folder)
    yield watching(whole)
    yield from ports(whole, running)
    if not lacking["edge"] and whole.redis_url is None:
        yield broker_program()
    if not lacking["worker"]:
        yield model(whole)
    reached = broker(whole)
    yield reached
    yield store(whole, running)
    if whole.redis_url is not None and reached.state != "broken":
        yield parts(whole)
