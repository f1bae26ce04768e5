"""Files that hold one picture: pairs of them, and groups around a centre."""
