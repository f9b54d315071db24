"""Networks: the expression branch, the apex decoder, MIC's game and peers."""
