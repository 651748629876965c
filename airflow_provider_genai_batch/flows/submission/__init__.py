"""How a job comes to be, once: looked for, submitted, found again, or withdrawn."""
