"""Markdown of users as the HTML of a letter."""

from __future__ import annotations

import nh3
from markdown_it import MarkdownIt

from services.mail.templates import as_html


def rendered(text: str) -> object:
    """The HTML, without anything that could run or load; a variable for a template."""
    return as_html(nh3.clean(MarkdownIt().render(text)))
