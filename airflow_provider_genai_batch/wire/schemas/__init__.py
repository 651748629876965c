"""Schemas of answers, in the dialect that a service takes, and checks of the answers."""
