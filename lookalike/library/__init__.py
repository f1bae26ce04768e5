"""All that is known about a library: which names count, how they are written, what is on disk, what is gone.

Producer, worker, `verify` and the command line ask here and nowhere else. A folder is folder.py and reader.py, several
are joined/, a bucket is buckets/; kinds.py says what all can do, opening.py which it is.
"""
