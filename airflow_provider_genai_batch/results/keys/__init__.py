"""Keys of requests: which row belongs to which request, in little memory."""
