"""README and docs, tested: their blocks run, their tables repeat the code, their links lead somewhere."""
