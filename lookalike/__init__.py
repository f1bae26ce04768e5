"""Drop images into a folder and search them by example."""

__version__ = "0.1.0"
