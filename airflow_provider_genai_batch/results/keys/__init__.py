"""Keys of requests: match rows to requests in little memory."""
