"""How every part reaches the broker: the Celery app, its overrides, and what parts report in Redis."""
