"""Carries out the steps of the flows for an attempt: finds, submits, watches and settles jobs."""
