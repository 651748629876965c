"""Rounds of immediate calls instead of jobs. They hold the worker's slot, and never use the triggerer."""
