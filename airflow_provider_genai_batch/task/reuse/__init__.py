"""Answers that are there already: rows of earlier results, and requests that are equal to another."""
