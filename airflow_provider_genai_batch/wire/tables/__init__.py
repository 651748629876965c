"""SQL that makes requests of a table's rows, and a table of the answers."""
