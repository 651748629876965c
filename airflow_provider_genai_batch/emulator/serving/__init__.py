"""The web server: routes, what happens to every request, and the control routes."""
