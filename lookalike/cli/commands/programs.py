"""Commands for other programs: schema."""

from lookalike.cli.app import Data, app
from lookalike.cli.output import show_json
from lookalike.client.schema import schema_of
from lookalike.settings import read_settings
from lookalike.system.discovery import with_running


@app.command()
def schema(data: Data = None) -> None:
    """Print task names, queues and JSON schemas, for programs in any language."""
    show_json(schema_of(with_running(read_settings(data=data)).keys))
