"""Jobs as the service shows them, and whose they are."""
