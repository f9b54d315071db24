"""Facial-expression recognition straight from compressed video."""

__version__ = "0.1.0"
