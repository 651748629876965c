"""API keys, bearer tokens and service accounts."""
