"""The host process: has shards open and serves the server's requests to them one after the other.

Every call of the engine holds the GIL: opening a shard of 100,000 points blocks a process for most of a second. The
server therefore never calls the engine: it passes each request to the host that has the collection open, and that host
goes on answering while another one opens an indexed copy. Started by edge/shard_process.py: `python -m edge.host`.
"""
