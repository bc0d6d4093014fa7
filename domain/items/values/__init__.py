"""From a value of a payload to the text PostgreSQL's type reads, refusing what the type can't hold.

A converter takes a JSON value other than null and gives the text form, or None where the value means NULL
(``0000-00-00``). It raises :class:`Refused`. Everything is bound as text, and PostgreSQL's own input
functions read it: enums, domains, arrays, ranges need no knowledge of ours.
"""

from domain.items.values.converters import Converter, converter_of
from domain.items.values.refused import Refused

__all__ = ["Converter", "Refused", "converter_of"]
