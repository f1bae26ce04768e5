"""What belongs to a library: which names count, how they are written, and what is on disk."""
