"""Counts the jobs that retries pay for: this package's operator beside the Google provider's."""
