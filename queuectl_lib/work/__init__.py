"""Running jobs: slots, processes, workers, supervisor."""
