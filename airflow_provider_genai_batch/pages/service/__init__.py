"""What the pages ask of a connection's service and storage, in threads of their own."""
