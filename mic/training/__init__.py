"""Training as records: steps, schedules, augmentation, several processes."""
