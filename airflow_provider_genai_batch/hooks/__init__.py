"""Airflow connections turned into clients, and flows carried out with them."""
