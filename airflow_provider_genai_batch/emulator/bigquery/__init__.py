"""A BigQuery server on loopback: bqemulator, corrected and guarded."""
