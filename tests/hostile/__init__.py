"""Random histories of a task on a service that lies within what the documents allow."""
