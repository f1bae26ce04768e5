"""A system on this machine: its data folder, how a client finds it, and its parts."""
