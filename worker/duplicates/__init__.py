"""The job that finds duplicates: candidates from the index, a second look at each pair, groups around a centre."""
