"""Residuals, motion and CoViAR's loader from pictures that libavcodec decodes, to compare with."""
