"""The index at Qdrant: what a point is, how points are read and written, and how the collection is made and checked."""
