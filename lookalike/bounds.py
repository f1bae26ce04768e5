"""Bounds of the message format: both ends must agree on them, so they are constants and not settings."""

# Longest path that Linux itself accepts (PATH_MAX, limits.h).
MAX_PATH_CHARS = 4096
# A read of 1,000 files takes about 10 ms; more per message would hold up searches behind it.
MAX_MESSAGE_PATHS = 1000
MAX_PAGE = 1000
# Arguments show up in Flower and in Celery's events; larger images travel beside the message.
MAX_INLINE_QUERY_BYTES = 64 * 1024
# Three years. Nobody waits longer, and the arithmetic of dates ends somewhere above.
MAX_WAIT_S = 1e8
