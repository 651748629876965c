"""Other people's clients, unchanged, against the emulator; ``make referees``."""
