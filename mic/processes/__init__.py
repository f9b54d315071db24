"""Worker processes, isolated tasks, stages, and a cluster of them."""
