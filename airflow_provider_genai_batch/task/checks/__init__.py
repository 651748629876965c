"""Checks of a task's settings, before anything is paid."""
