"""What a network reads: tensors of clips, their apexes, re-encoded copies, coverage."""
