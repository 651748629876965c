"""Rows that are asked by calls: this package's engine beside Google's SDK."""
