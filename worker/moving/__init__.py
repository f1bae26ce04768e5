"""Carries an index: into a file and out of it, and from one store to another. Started by commands, not by a worker."""
