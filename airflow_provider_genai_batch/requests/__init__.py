"""Requests in: files, tables and lists become lines that are checked before money is spent."""
