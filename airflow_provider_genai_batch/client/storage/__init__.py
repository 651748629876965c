"""Uploads, downloads and tables, through the services' own protocols."""
