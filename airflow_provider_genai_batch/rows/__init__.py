"""Streaming readers and writers of rows. Bytes in, bytes out."""
