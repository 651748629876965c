"""Settings that are objects: what users give to an operator beside plain values."""
