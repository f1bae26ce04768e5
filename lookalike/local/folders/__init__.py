"""Folders on this machine: which may be libraries, their data folders, and the form that those have."""
