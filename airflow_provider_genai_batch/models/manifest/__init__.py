"""The plan and the manifest of a task, and the values in them."""
