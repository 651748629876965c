"""Jobs as the service shows them, and the task instances that they belong to."""
