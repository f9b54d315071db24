"""Sphinx: the guide, the notebooks as committed, and the API read from the sources.

`make docs` copies pages and notebooks into `build/docs/source` and builds there. Nothing is
imported or executed: docstrings are read by sphinx-autoapi, notebooks keep their outputs.
"""

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


def _examples(app, what, name, obj, options, lines):
    """Marks the indented examples of docstrings as code.

    They stand as in Markdown, four spaces after an empty line, and reStructuredText would take
    them for quotations. What napoleon indents (arguments, attributes) follows its heading at once.
    """
    place = 0
    while place < len(lines):
        before = lines[place - 1] if place else ""
        if lines[place].startswith("    ") and not before.strip():
            lines[place:place] = [".. code-block:: text", ""]
            place += 2
            while place < len(lines) and (lines[place].startswith("    ") or not lines[place]):
                place += 1
            if lines[place - 1].strip():
                lines.insert(place, "")
        place += 1


def setup(app):
    """Sphinx calls this."""
    app.connect("autodoc-process-docstring", _examples)
