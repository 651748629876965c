"""The rounds of an attempt: what each asks, the jobs that it comes to, and what became of it."""
