"""An input that is divided into parts for several mapped tasks, and their results merged."""
