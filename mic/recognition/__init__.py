"""Expressions of people in any video: `mic.predict` and `mic predict`.

    table = mic.predict("interview.mp4")             # a pandas DataFrame
    table[["start", "end", "person", "status", "label", "confidence"]]

The way of a video: `moments` (pictures as they pass, with their vectors and the regions that are
wanted), `follower` (who is where), `people` (what each look says), `rows` and `table`. The
paper's own network, which sees residuals alone, is in `recogniser` and `windows`.
"""

from mic.recognition.files import checked_suffix, save, to_csv
from mic.recognition.table import Task, as_table, csv_lines, predict, row
from mic.recognition.windows import Options, Window, windows

__all__ = [
    "Options",
    "Task",
    "Window",
    "as_table",
    "checked_suffix",
    "csv_lines",
    "predict",
    "row",
    "save",
    "to_csv",
    "windows",
]
