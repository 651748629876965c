"""The outcome of an ended job for its task: collects the rows; one function decides."""
