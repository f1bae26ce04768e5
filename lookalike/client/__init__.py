"""What a program uses to add, search and follow: the client, its transports and what it sends."""

from lookalike.client.client import Client

__all__ = ["Client"]
