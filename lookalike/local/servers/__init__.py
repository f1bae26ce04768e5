"""The servers that a system uses: where they listen, and whether they answer with the configuration they were given."""
