"""Sphinx: the guide, the notebooks as committed, and the API read from the sources.

`make docs` copies pages and notebooks into `build/docs/source` and builds there. Nothing is
imported or executed: docstrings are read by sphinx-autoapi, notebooks keep their outputs.
"""

import re
from pathlib import Path

root = Path(__file__).resolve().parent
while not (root / "pyproject.toml").is_file():
    root = root.parent

project = "mic"
author = "The mic authors"
copyright = "2026, The mic authors"
extensions = ["autoapi.extension", "myst_nb", "sphinx.ext.napoleon"]
exclude_patterns = ["requirements.*"]

html_theme = "furo"
html_title = "mic"

nb_execution_mode = "off"
myst_enable_extensions = ["amsmath", "dollarmath"]
myst_heading_anchors = 3

autoapi_dirs = [str(root / "mic"), str(root / "native" / "mic_bitstream")]
autoapi_root = "api"
autoapi_file_patterns = ["*.py"]
autoapi_options = ["members", "show-module-summary"]
autoapi_ignore = ["*/__main__.py", "*/synthface/tools/*"]
autoapi_python_class_content = "class"
autoapi_add_toctree_entry = False
autoapi_keep_files = False
# Dataclass fields are listed in their class's docstring; once is enough.
autoapi_own_page_level = "module"
napoleon_use_ivar = True

# Docstrings are written for people: single backquotes are code, as in Markdown.
default_role = "code"
suppress_warnings = [
    "ref.python",  # classes of one name in two modules, as Answer: each page shows its own
    "autoapi.python_import_resolution",  # the compiled module has no source to read
    "myst.xref_missing",  # links of pages to sources that are not part of the site
    "mystnb.unknown_mime_type",
]

# A bar at a word, as of a magnitude; code in backquotes comes first, and is passed over.
_BAR = re.compile(r"(?P<code>`+[^`]*`+)|(?<=\S)\||\|(?=\S)")


def read_as_written(app, what, name, obj, options, lines):
    """Makes reStructuredText of docstrings, which are written as in Markdown.

    An example, indented by four spaces after an empty line, would be taken for a quotation: it is
    marked as code. What napoleon indents (arguments, attributes) follows its heading at once.
    Elsewhere `|x|` would be taken for the name of a substitution: its bars are escaped.
    """
    read, text = [], []

    def end_text():
        escaped = _BAR.sub(lambda found: found["code"] or r"\|", "\n".join(text))
        read.extend(escaped.split("\n") if text else [])
        text.clear()

    place = 0
    while place < len(lines):
        if lines[place].startswith("    ") and not (lines[place - 1].strip() if place else ""):
            end_text()
            read += [".. code-block:: text", ""]
            while place < len(lines) and (lines[place].startswith("    ") or not lines[place]):
                read.append(lines[place])
                place += 1
            if read[-1].strip():
                read.append("")
        else:
            text.append(lines[place])
            place += 1
    end_text()
    lines[:] = read


def setup(app):
    """Sphinx calls this."""
    app.connect("autodoc-process-docstring", read_as_written)
