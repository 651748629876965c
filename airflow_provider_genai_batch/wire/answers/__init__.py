"""Reads answers of every model family as plain rows."""
