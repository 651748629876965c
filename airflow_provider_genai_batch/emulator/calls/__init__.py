"""One call on its way through the emulator, and how lists answer it."""
