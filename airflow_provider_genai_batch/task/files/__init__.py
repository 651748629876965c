"""Files of users, local or in object storage: reading them, and writing them so that only whole files appear."""
