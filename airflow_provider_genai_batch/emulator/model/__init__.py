"""The pretend model: answers that depend on the request only."""
