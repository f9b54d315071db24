"""Residuals and motion from pictures that libavcodec decodes, to compare with."""
