"""The terms of a task: what it asks, in which tier, what that may cost, and by when."""
