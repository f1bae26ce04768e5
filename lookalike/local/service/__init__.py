"""`lookalike up` as a service of this machine: its unit, and what it tells a service manager."""
