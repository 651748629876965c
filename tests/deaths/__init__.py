"""Deaths at every step of tasks that ask otherwise than by one job of a file, each in a process that is killed."""
