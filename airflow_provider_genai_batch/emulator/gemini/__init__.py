"""The Gemini Developer API: batches and files."""
