"""Scans: when one is due, what it compares, and what it found out about library and index."""
