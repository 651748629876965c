"""An input divided among many workers, and their results made one again."""
