"""What an ended job means for its task: rows are collected, and one function decides."""
