"""One call while the emulator handles it, and the pages of lists."""
