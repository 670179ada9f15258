"""Restores: a snapshot and the segments behind it, back into a graph as it was at a point in time."""
