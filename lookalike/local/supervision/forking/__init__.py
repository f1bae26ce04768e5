"""A supervisord that has imported what our programs share, and forks them from itself (Linux)."""
