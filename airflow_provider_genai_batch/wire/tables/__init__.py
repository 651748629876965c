"""SQL by which a table becomes requests and answers become a table."""
