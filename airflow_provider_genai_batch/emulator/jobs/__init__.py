"""Jobs: their records, their script, and where they stand at a time."""
