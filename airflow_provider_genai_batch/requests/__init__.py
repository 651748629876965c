"""Requests in: bytes of files, tables and lists become lines that were checked before money is spent."""
