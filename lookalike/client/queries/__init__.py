"""Queries as a caller gives them, and the messages that are sent for them."""
