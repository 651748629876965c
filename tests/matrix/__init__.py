"""The package as users install it: its wheel, beside each version of Airflow that it declares."""
