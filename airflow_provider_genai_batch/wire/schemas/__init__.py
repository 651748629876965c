"""Schemas of answers in the dialect that a service accepts, and checks of the answers."""
