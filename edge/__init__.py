"""The store of one machine: the routes of Qdrant's REST API that our code calls, over the embedded engine.

Knows nothing of images, models or queues; an unmodified qdrant-client talks to it. Started with `python -m edge`.
"""
