"""Corrections of bqemulator 1.4.0. Without each of them, a test could pass or fail wrongly."""
