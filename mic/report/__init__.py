"""Results for readers: a self-contained HTML page, tables in the README, LaTeX, notebooks.

mic.report.page("results", "report.html")          # every table, figure and provenance
mic.report.filled(text, "results")                 # Markdown with its marked tables renewed
mic.report.export_latex("results", "my-paper")     # every table as NAME.tex
mic.report.styled(frame)                           # a table as the paper prints it
"""

from mic.report.document import Report, page
from mic.report.html_table import styled
from mic.report.latex import export as export_latex
from mic.report.markdown import filled, names_in

__all__ = ["Report", "export_latex", "filled", "names_in", "page", "styled"]
