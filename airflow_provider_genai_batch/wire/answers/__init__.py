"""Answers of every model family, read as plain rows."""
