"""Liquid templates: the built-in ones, and those of a directory that replace them.

``{% layout "base" %}`` with ``{% block content %}`` puts a text into the common frame. Values are escaped;
`html` values are marked as such by who makes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from liquid import CachingFileSystemLoader, ChoiceLoader, Environment
from liquid.exceptions import LiquidError, TemplateNotFoundError
from liquid.extra import BlockTag, ExtendsTag
from markupsafe import Markup

BUILT_IN = Path(__file__).parent / "templates"


class TemplateError(Exception):
    """A template that isn't there or can't be understood; the text tells why."""


def render(name: str, folder: str, variables: Mapping[str, object]) -> str:
    """The HTML that a template makes of variables, its lines trimmed.

    Raises:
        TemplateError
    """
    try:
        text = _environment(folder).get_template(name).render(**variables)
    except TemplateNotFoundError:
        raise TemplateError(f"there is no template {name}") from None
    except (LiquidError, OSError, UnicodeDecodeError) as error:
        raise TemplateError(f"template {name}: {error}") from error
    return "\n".join(line.strip() for line in text.splitlines())


def as_html(text: str) -> object:
    """A value that is HTML already, for `render`."""
    return Markup(text)


def is_html(value: object) -> bool:
    """Whether a value was marked by `as_html`."""
    return isinstance(value, Markup)


def alike(before: Mapping[str, object], after: object) -> dict[str, object]:
    """Variables that somebody has changed: what was HTML is still."""
    found = dict(after) if isinstance(after, Mapping) else {}
    for name, value in before.items():
        if isinstance(value, Markup) and isinstance(found.get(name), str):
            found[name] = Markup(str(found[name]))
    return found


@lru_cache(maxsize=8)
def _environment(folder: str) -> Environment:
    loaders = [CachingFileSystemLoader(path, ext=".liquid") for path in (Path(folder), BUILT_IN)]
    environment = Environment(loader=ChoiceLoader(list(loaders)), autoescape=True)
    environment.add_tag(BlockTag)
    environment.add_tag(ExtendsTag)
    # The name that templates written for the reference use.
    environment.tags["layout"] = environment.tags["extends"]
    return environment
