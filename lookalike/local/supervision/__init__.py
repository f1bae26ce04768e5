"""The processes of a system: which there are, in which order they start, who restarts them, and how they stop."""
