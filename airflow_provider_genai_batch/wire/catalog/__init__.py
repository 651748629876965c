"""What batch runs: publishers, models, locations, and how much one job takes."""
