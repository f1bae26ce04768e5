"""All that is known about a library: which names count, how they are written, what is on disk, what is gone.

Producer, worker, `verify` and the command line ask here and nowhere else. A folder is folder.py and reader.py, a
bucket bucket.py and bucket_reader.py; kinds.py says what both can do, opening.py which it is.
"""
