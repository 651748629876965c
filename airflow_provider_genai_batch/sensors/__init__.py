"""The sensor that waits for existing jobs."""
