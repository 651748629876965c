"""The parameters of a job in every spelling that users write."""
