"""Rows counted by status, by cause of failure and by tokens."""
