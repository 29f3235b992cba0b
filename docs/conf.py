"""The site of these pages: `tox -e docs` builds it. They are plain Markdown, to be read where the code is too."""

import pathlib
import re

ROOT = pathlib.Path(__file__).parent.parent

project = "spotzee-logging"
version = release = re.findall(
    r'__version__ = "(.+)"', (ROOT / "spotzee_logging" / "version.py").read_text()
)[0]
extensions = ["myst_parser"]
exclude_patterns = ["_build", "performance/tables.md"]
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_title = f"spotzee-logging {release}"
html_show_copyright = False
html_show_sphinx = False
html_copy_source = False
myst_heading_anchors = 3  # as code hosts have them, for links to a page's part
nitpicky = True
smartquotes = False  # what stands in quotes is to be typed
