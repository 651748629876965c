"""Requests that the simulated model refuses, row by row, with Google's messages."""
