"""Searches: the vectors of their examples, their neighbours, and what lets them go first."""
