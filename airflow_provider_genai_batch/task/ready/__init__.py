"""A deadline for the rows of a task: the moment, and leaving batch jobs that will not keep it."""
