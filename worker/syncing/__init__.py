"""Syncs: one attempt, its rounds, and their writes."""
