"""Readers of published folder layouts, one file a dataset."""
