"""Nights of a task that has a deadline, on a clock that nobody waits for."""
