"""What the pretend model refuses, row by row, and how Google words it."""
