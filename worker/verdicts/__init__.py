"""Verdicts of a person, kept twice: in a collection of their own at the store, and in a file of the data folder."""
