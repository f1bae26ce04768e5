"""All that is known about a library: which names count, how they are written, what is on disk, what is gone.

Producer, worker, `verify` and the command line ask here and nowhere else. Another kind of library is one more module
next to folder.py and reader.py.
"""
