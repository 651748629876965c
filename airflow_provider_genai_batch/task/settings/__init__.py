"""The settings of a task, read once from its parameters."""
