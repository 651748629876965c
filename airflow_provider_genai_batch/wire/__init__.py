"""The formats of each service for what `models` defines. Pure functions, no I/O.

Strict in what is sent, lenient in what is read.
"""
