"""Faults that a test queues, by the method that they disturb."""
