"""Rows of a table in BigQuery that this package asks about or streams."""
