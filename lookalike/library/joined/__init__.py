"""A library of several folders."""
