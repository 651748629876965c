"""Batch jobs on Google's generative AI for Apache Airflow."""

__version__ = "0.1.0"
