"""The output of a task: rows and media are written where the user asked for them."""
