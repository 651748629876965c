"""A BigQuery server on loopback: bqemulator, mended and guarded."""
