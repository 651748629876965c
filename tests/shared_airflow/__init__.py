"""One Airflow for the tests of several files: to start one more costs as much CPU time as a hundred other tests.

This is loaded with every test, and most need no Airflow: so nothing heavy is imported here before it is used.
"""
