"""The producer: watches the library and asks the workers to sync paths."""
