"""Credentials of a connection: an API key, or a token from Google's library."""
