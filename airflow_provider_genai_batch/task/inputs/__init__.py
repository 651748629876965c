"""The input of a task: read, checked, and split into jobs."""
