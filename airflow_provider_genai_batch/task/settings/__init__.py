"""What a task is set to do, read once from its parameters."""
