"""The calls of each service: jobs, files, objects and tables, as plain HTTP requests and answers."""
