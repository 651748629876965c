"""Requests from tables: rows of CSV, Parquet, JSONL or dicts, and a prompt template over their columns."""
