"""The store of one machine: the routes of Qdrant's REST API that our code calls, over the embedded engine.

Knows nothing of images, models or queues; an unmodified qdrant-client talks to it. Started with `python -m edge`.
"""

# A flush stops a host: 75 ms for 32 points of dimension 512 or 140 ms for 10,000, so wait for a pause in writing
# (2 Xeon cores, 2026-11-21).
FLUSH_WHEN_IDLE_S = 2.0
