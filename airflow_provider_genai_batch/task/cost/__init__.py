"""What a job may cost before it runs, and what it did cost."""
