"""What predictions and features are worth: metrics with intervals, leakage of identity."""
