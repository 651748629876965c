"""Rows of a Vertex job: how they are read, answered and written, by the family of the model."""
