"""Results for readers: one self-contained HTML page, and the tables inside the README.

mic.report.page("results", "report.html")          # every table, figure and provenance
mic.report.filled(text, "results")                 # Markdown with its marked tables renewed
"""

from mic.report.document import Report, page
from mic.report.markdown import filled, names_in

__all__ = ["Report", "filled", "names_in", "page"]
