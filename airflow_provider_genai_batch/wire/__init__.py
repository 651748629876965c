"""Spelling only: how each service writes what `models` names. Pure functions, no I/O.

Strict in what is sent, lenient in what is read.
"""
