"""Bytes in and out: uploads, downloads, and tables, by the services' own protocols."""
