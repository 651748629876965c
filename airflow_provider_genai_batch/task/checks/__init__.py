"""Checks of what a task is given, before anything is paid."""
