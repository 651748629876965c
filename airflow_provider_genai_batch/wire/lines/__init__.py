"""Lines: one request each, in the format of its model family, with its key."""
