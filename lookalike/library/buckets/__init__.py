"""A library on object storage."""
