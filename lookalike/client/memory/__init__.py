"""An index in memory, for lookalike/testing.py."""
