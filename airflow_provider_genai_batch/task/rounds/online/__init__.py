"""Rounds that are asked at once, by calls instead of jobs. They hold the worker's slot, and never the triggerer."""
