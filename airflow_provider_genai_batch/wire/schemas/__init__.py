"""Schemas: what answers are to be, in the dialect that a service takes, and the check of what comes."""
