"""How each service writes what `models` defines. Pure functions, no I/O.

Strict in what is sent, lenient in what is read.
"""
