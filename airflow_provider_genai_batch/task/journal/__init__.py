"""Journals: answers of immediate calls, kept beside the rows as a job's output is kept at the service."""
