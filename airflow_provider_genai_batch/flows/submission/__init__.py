"""The submission of a job, once: looked for, created, found again, or withdrawn."""
