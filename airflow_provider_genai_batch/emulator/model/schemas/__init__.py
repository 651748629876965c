"""Response schemas: JSON that fits a schema, and the rules for schemas."""
