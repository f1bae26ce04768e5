"""A process that has shards open and does with them what the server asks, one thing after the other.

Every call of the engine holds the GIL, so whoever opens a shard of 100,000 points stands still for most of a second.
The server therefore touches no engine: it hands each call to the host that has the collection open, and while another
host opens the indexed copy of it, this one goes on answering. Started by edge/shard_process.py: `python -m edge.host`.
"""
