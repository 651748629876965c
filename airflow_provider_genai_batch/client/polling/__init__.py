"""Polls many jobs from one place: all triggers of a connection share one poller."""
