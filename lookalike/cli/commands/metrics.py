"""The command about numbers for Prometheus: metrics."""

import sys

from lookalike.cli.app import Data, app
from lookalike.errors import Misconfigured
from lookalike.settings import read_settings
from lookalike.system.discovery import with_running


@app.command()
def metrics(data: Data = None) -> None:
    """Print counters, histograms and gauges in Prometheus' text format, as Flower serves them under /metrics."""
    try:
        # Of the parts that run a system: a client alone does without it.
        from lookalike.exporter import metrics_text  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise Misconfigured(f"{error.name} is not installed. Run pip install 'lookalike[monitor]'.") from None
    sys.stdout.write(metrics_text(with_running(read_settings(data=data))))
