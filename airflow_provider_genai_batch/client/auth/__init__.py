"""Credentials: a key, or a token that Google's library or a service account's owner gives."""
