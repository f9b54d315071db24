"""What outlives a run: atomic writes, the feature cache, pinned assets, weights, provenance."""
