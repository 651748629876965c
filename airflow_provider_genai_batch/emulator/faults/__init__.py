"""Faults that a test queues for a method."""
