"""What an attempt does with jobs: find, submit, watch, settle. Here the steps of the flows are carried out."""
