"""The fields of a request to Google's models, in every spelling that users write."""
