"""Networks: the expression branch, the apex decoder, MIC's game, peers and low-rate models."""
