"""Reads a BigQuery table and writes a BigQuery table. Rows pass through the worker only if they are streamed."""
