"""A table of BigQuery in, a table of BigQuery out: the rows never pass through the worker."""
