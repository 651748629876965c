"""What a task leaves: its plan, its manifest, and what the manifest is made of."""
