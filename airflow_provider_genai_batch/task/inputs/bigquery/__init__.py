"""The rows of a BigQuery table as an input: a snapshot of them, and their requests."""
