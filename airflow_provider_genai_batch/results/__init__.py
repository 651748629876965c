"""Rows out: the lines that services wrote become one row for each request."""
