"""Operators: submit, land, cancel, delete."""
