"""Settings of operators that are objects, not plain values."""
