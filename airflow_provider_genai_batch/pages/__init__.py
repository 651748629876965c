"""Pages in Airflow's UI: tasks with their jobs, rows and cost, and totals over time."""
