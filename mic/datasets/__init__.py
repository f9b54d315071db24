"""Datasets: one file each, from its published folder layout to one manifest schema."""
