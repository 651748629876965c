"""A pilot: a sample of the requests goes first, and decides whether the others are submitted."""
