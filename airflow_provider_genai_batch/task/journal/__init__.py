"""Journals: what was answered at once, kept beside the rows as a job's output is kept at the service."""
