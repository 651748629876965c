"""The outcome of an ended job for its task: rows are collected, and one function decides."""
