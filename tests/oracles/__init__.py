"""Independent oracles for the native MPEG-4 parser: stock libavcodec, NumPy and the standard."""
