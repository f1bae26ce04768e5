"""The workers: make the index agree with the library, and answer searches. Started by `celery -A worker`."""
