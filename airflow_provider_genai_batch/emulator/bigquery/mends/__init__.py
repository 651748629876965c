"""Mends of bqemulator 1.4.0, each for something that could make a test pass, or fail, wrongly."""
