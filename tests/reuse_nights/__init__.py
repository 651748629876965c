"""Two nights over one table of which a little changes, through deaths at every step of the second."""
