"""Jobs: their records, their scripts, and their states over time."""
