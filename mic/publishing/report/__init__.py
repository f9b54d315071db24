"""Results for readers: a self-contained HTML page, tables in the README, LaTeX, notebooks.

Of a folder of results:

    report.page("results", "report.html")        # every table, figure and provenance
    report.fill("page.md", "results")            # renews a page's marked tables
    report.filled(text, "results")               # the same of a text
    report.export_latex("results", "my-paper")   # every table as NAME.tex
    report.styled(frame)                         # a table as the paper prints it
"""

from mic.publishing.report.document import Report, page
from mic.publishing.report.html_table import styled
from mic.publishing.report.latex import export as export_latex
from mic.publishing.report.markdown import fill, filled, names_in

__all__ = ["Report", "export_latex", "fill", "filled", "names_in", "page", "styled"]
