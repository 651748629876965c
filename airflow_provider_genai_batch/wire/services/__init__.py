"""The calls of each service as plain HTTP requests and answers: jobs, files, objects and tables."""
