"""Airflow's pages as a person sees them, in a Chromium without a window."""
