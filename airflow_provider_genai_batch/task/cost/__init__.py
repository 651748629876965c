"""The cost of jobs, before they run and after."""
