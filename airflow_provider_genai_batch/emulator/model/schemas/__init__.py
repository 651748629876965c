"""Response schemas: JSON that fits one, and what one has to hold."""
