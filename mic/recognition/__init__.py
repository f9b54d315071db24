"""Expressions in any video, a row a window: `mic.predict` and `mic predict`.

    table = mic.predict("interview.mp4")             # a pandas DataFrame
    table[["start", "end", "face", "label", "confidence"]]

Faces are found and cropped, MPEG-4 is parsed as it is, everything else is coded as MPEG-4 on the
way (the column `method` says which), and memory does not grow with the video.
"""

from mic.recognition.files import checked_suffix, save, to_csv
from mic.recognition.film import overlay
from mic.recognition.table import as_table, csv_lines, predict, row
from mic.recognition.windows import Options, Window, windows

__all__ = [
    "Options",
    "Window",
    "as_table",
    "checked_suffix",
    "csv_lines",
    "overlay",
    "predict",
    "row",
    "save",
    "to_csv",
    "windows",
]
