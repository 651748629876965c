"""The rows of a database query: fetched as a stream, and kept for all attempts of a run."""
