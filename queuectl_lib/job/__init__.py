"""What a job is and what may happen to it."""
