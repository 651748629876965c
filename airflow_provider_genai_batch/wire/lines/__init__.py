"""Lines: one request each, in the spelling of its family, and the key beside it."""
