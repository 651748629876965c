"""What one version of this package leaves in Airflow's database for another: arguments of triggers, events, records."""
