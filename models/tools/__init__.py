"""Programs that make, measure and change model files; no part of the running system."""
