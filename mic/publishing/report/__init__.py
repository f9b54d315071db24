"""Results for readers: a self-contained HTML page, tables in the README, LaTeX, notebooks.

mic.publishing.report.page("results", "report.html")          # every table, figure and provenance
mic.publishing.report.filled(text, "results")                 # Markdown with its marked tables
renewed mic.publishing.report.export_latex("results", "my-paper")     # every table as NAME.tex
mic.publishing.report.styled(frame)                           # a table as the paper prints it
"""

from mic.publishing.report.document import Report, page
from mic.publishing.report.html_table import styled
from mic.publishing.report.latex import export as export_latex
from mic.publishing.report.markdown import filled, names_in

__all__ = ["Report", "export_latex", "filled", "names_in", "page", "styled"]
