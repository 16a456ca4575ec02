"""The jobs on disk."""
