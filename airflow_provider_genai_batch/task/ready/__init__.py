"""The deadline for the rows of a task: its moment, and the cancellation of batch jobs that would miss it."""
