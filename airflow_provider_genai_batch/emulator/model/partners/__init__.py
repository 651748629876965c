"""What pretend partner and open models say, and what they refuse."""
