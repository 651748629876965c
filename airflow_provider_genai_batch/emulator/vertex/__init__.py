"""Vertex AI: batchPredictionJobs."""
