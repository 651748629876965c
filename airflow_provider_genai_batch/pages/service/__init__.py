"""Calls of the pages to a connection's service and storage, in separate threads."""
