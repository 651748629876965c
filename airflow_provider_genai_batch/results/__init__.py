"""Rows out: the lines that the services wrote become one row for each request."""
