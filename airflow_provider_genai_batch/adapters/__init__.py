"""Batch jobs of this package behind other packages' operators; nothing else here needs it."""
