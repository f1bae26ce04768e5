"""The Celery app that Flower watches the system through: `celery -A lookalike.flower_app flower`. For Flower alone.

A module-level app, because that is what Celery's command line looks for; it reads the environment on import,
so nothing else may import it.
"""

import os
from typing import Any

from celery.states import EXCEPTION_STATES
from flower.options import options
from flower.views import BaseHandler
from prometheus_client import REGISTRY

from lookalike.broker.app import celery_app
from lookalike.client.told import sentence
from lookalike.exporter import collector_of
from lookalike.own_hosts import is_own_host
from lookalike.settings import service_settings

settings = service_settings()


def guard(self: BaseHandler) -> None:
    """What Flower leaves out: other sites may not embed its pages, nor read them by a name that they have lead here."""
    self.set_header("Content-Security-Policy", "frame-ancestors 'none'")
    # A browser sends a password to the name alone that asked for it.
    if settings.flower_auth is None and not is_own_host(self.request.host, settings.web_names):
        self.send_error(403, reason="No name of ours: visit Flower by its address, or set LOOKALIKE_WEB_NAMES")


def readable(task: Any) -> Any:
    """A row of the page, from a copy of what Flower knows of a task: the sentence of an error stands as its result."""
    if task.state in EXCEPTION_STATES and task.exception:
        task.result = sentence(task.exception)
    return task


BaseHandler.prepare = guard
options.format_task = readable
if settings.flower_auth is not None:
    # Flower reads it when its own command begins, after this module; as an argument every user could read it.
    os.environ["FLOWER_BASIC_AUTH"] = settings.flower_auth.get_secret_value()
app = celery_app(settings, name="lookalike.flower_app")
# Flower serves what is registered here under /metrics (docs/decisions/0018-metrics.md).
REGISTRY.register(collector_of(settings, waits=False))
