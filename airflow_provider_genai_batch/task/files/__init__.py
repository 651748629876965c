"""Files of users, local or in object storage: read, written and published whole."""
