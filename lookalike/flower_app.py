"""The Celery app that Flower watches the system through: `celery -A lookalike.flower_app flower`. For Flower alone.

A module-level app, because that is what Celery's command line looks for; it reads the environment on import,
so nothing else may import it.
"""

from lookalike.broker import celery_app
from lookalike.settings import read_settings

app = celery_app(read_settings(), name="lookalike.flower_app")
