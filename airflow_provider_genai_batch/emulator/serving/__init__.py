"""The web server: routes, the pipeline for every request, and the control routes."""
