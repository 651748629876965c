"""Rows of a database's query, fetched in a stream and kept for every attempt of a run."""
