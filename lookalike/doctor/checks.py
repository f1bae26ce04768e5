"""The order of the checks: those first that the others depend on. Calls the modules of this folder."""

import os
from collections.abc import Iterator

from lookalike.doctor.binaries import check_broker_program, check_model
from lookalike.doctor.environment import (
    check_certificates,
    check_limits,
    check_other_variables,
    check_output,
    check_proxies,
    check_temporary_folder,
)
from lookalike.doctor.host import check_processor, check_python, check_watching
from lookalike.doctor.packages import check_extra, check_versions, missing_packages
from lookalike.doctor.result import CheckResult, broken
from lookalike.doctor.servers import check_broker, check_parts, check_store
from lookalike.doctor.storage import check_data_folder, check_disk, check_library, check_ports, check_rules
from lookalike.errors import Misconfigured
from lookalike.settings import Settings
from lookalike.system.data_folder import DataFolder, data_folder
from lookalike.system.discovery import find_running, with_running
from lookalike.system.parts import EXTRAS


def check_machine(settings: Settings) -> Iterator[CheckResult]:
    """Each result as soon as it is known. Changes nothing on this machine; a wrong setup is a result, not an error."""
    yield check_python()
    yield check_versions()
    lacking = {name: missing_packages(name) for name in EXTRAS}
    yield from (check_extra(name, missing) for name, missing in lacking.items())
    yield check_processor()
    yield check_limits()
    yield check_output()
    yield check_temporary_folder()
    yield check_certificates(os.environ)
    yield check_other_variables(os.environ)
    try:
        running = find_running(settings)
        whole = with_running(settings) if running is not None else settings
    except Misconfigured as error:
        yield broken("system", "more than one runs here", str(error))
        return
    folder = data_folder(settings) if running is None else DataFolder(running.data)
    yield check_proxies(whole, os.environ)
    yield check_data_folder(folder)
    yield check_disk(folder)
    yield check_library(whole, folder)
    yield check_rules(whole)
    yield check_watching(whole)
    yield from check_ports(whole, running)
    if not lacking["edge"] and whole.redis_url is None:
        yield check_broker_program()
    if not lacking["worker"]:
        yield check_model(whole)
    reached = check_broker(whole)
    yield reached
    yield check_store(whole, running)
    if whole.redis_url is not None and reached.state != "broken":
        yield check_parts(whole)
