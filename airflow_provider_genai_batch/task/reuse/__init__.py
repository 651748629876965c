"""Existing answers: rows of earlier results, and equal requests that need only one answer."""
