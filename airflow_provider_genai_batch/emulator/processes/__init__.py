"""Child processes of the emulator, and servers that run in them."""
