"""The plan tree: what one statement has to read, as frozen data without SQL and without a connection.

A plan is built of rows (one appearance of a table each), expressions on them, predicates, and nodes (what
stands in the answer). Rights are already in it: row rules as predicates, conditional fields as masks.
Operands never become part of the statement's text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from domain.query.operands import Operand
from domain.query.past import Past
from domain.query.past import Row as Row  # noqa: PLC0414 (a part of plans, too)

# -- rows and links ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Link:
    """How a row finds its related rows: pairs of (here, there) that are equal, and a condition on here.

    ``enforced`` tells that a constraint guarantees the row there whenever the single pair's value is set;
    ``owned`` that one guarantees the row here to all that name it there.
    """

    pairs: tuple[tuple[Expression, Expression], ...]
    when: Predicate | None = None
    enforced: bool = False
    owned: bool = False


# -- expressions -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ref:
    """A column of a row; ``type`` is PostgreSQL's name of its base type."""

    row: Row
    column: str
    type: str


@dataclass(frozen=True, slots=True)
class Masked:
    """An expression that is NULL where the caller may not see it."""

    expression: Expression
    visible: Predicate


@dataclass(frozen=True, slots=True)
class Call:
    """A function of a field: a part of a date, or ``count`` of a JSON array."""

    function: str
    argument: Expression
    type: str


@dataclass(frozen=True, slots=True)
class Counted:
    """How many related rows there are."""

    row: Row
    link: Link
    where: Predicate | None


@dataclass(frozen=True, slots=True)
class First:
    """An expression on the first related row, in the order of that expression itself."""

    row: Row
    link: Link
    where: Predicate | None
    expression: Expression
    descending: bool


@dataclass(frozen=True, slots=True)
class JsonPath:
    """The value at a path inside a JSON column; ``text`` for the unquoted text instead of JSON."""

    argument: Expression
    path: tuple[str, ...]
    text: bool = False


@dataclass(frozen=True, slots=True)
class Keyed:
    """A text that holds a key of another type; NULL where it is none."""

    argument: Expression
    type: str


@dataclass(frozen=True, slots=True)
class Text:
    """An expression as text."""

    argument: Expression


@dataclass(frozen=True, slots=True)
class Aggregate:
    """An aggregate function; without argument it counts rows."""

    function: str
    argument: Expression | None


@dataclass(frozen=True, slots=True)
class JoinedKey:
    """The text form of a key of several columns."""

    parts: tuple[Expression, ...]


Expression = Ref | Masked | Call | Counted | First | JsonPath | Keyed | Text | Aggregate | JoinedKey

# -- predicates --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Truth:
    """Always or never."""

    value: bool


@dataclass(frozen=True, slots=True)
class Both:
    """Every member holds."""

    members: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """Some member holds."""

    members: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class Compare:
    """An operator of the query language (without its underscore) between an expression and its operand."""

    operator: str
    expression: Expression
    operand: Operand | None = None


@dataclass(frozen=True, slots=True)
class Between:
    """Inside, or outside, two bounds that are themselves inside."""

    expression: Expression
    low: Operand
    high: Operand
    negated: bool


@dataclass(frozen=True, slots=True)
class Exists:
    """Whether a related row meets a predicate; ``plain`` when a path asks for it, not a quantifier."""

    row: Row
    link: Link
    where: Predicate | None
    negated: bool = False
    plain: bool = False


Predicate = Truth | Both | Either | Compare | Between | Exists


def both(*members: Predicate | None) -> Predicate | None:
    """All of the predicates, None for no condition."""
    flat: list[Predicate] = []
    for member in members:
        if member is None or member == Truth(True):
            continue
        if isinstance(member, Both):
            flat.extend(member.members)
        else:
            flat.append(member)
    if Truth(False) in flat:
        return Truth(False)
    if not flat:
        return None
    return flat[0] if len(flat) == 1 else Both(tuple(flat))


def either(*members: Predicate | None) -> Predicate | None:
    """Any of the predicates, None for no condition; no member at all is never true."""
    flat: list[Predicate] = []
    for member in members:
        if member is None or member == Truth(True):
            return None
        if member != Truth(False):
            flat.extend(member.members if isinstance(member, Either) else (member,))
    if not flat:
        return Truth(False)
    return flat[0] if len(flat) == 1 else Either(tuple(dict.fromkeys(flat)))


# -- the answer --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scalar:
    """A value, and the form in which the answer holds it."""

    expression: Expression
    format: str = "plain"


@dataclass(frozen=True, slots=True)
class Constant:
    """A fixed text, or null."""

    text: str | None


@dataclass(frozen=True, slots=True)
class Record:
    """Members of the same row in an object of their own."""

    outputs: tuple[tuple[str, Node], ...]
    shown: None = None


@dataclass(frozen=True, slots=True)
class ToOne:
    """The related item as an object, null where there is none or it is not visible."""

    row: Row
    link: Link
    visible: Predicate | None
    level: Level
    shown: Predicate | None = None


@dataclass(frozen=True, slots=True)
class ToMany:
    """The related items in order, at most ``limit`` (-1: all) per parent.

    ``each`` asks for a form that stops reading a parent's rows at the limit instead of numbering all of them.
    ``nulls_last`` puts the chosen rows in the order of the first key once more, NULLs last: the reference
    does that whenever the key is part of the answer.
    """

    row: Row
    link: Link
    where: Predicate | None
    joins: tuple[Join, ...]
    order: tuple[Order, ...]
    limit: int
    offset: int
    level: Level
    each: bool = False
    nulls_last: bool = False
    shown: Predicate | None = None


@dataclass(frozen=True, slots=True)
class ToAny:
    """The related item of whichever collection; rows of other collections show the raw key."""

    collection: Expression
    raw: Scalar | None
    branches: tuple[tuple[str, ToOne | None], ...]
    shown: Predicate | None = None


Node = Scalar | Constant | Record | ToOne | ToMany | ToAny


@dataclass(frozen=True, slots=True)
class Level:
    """The members of an object, in order; without members the item is its bare key, or ``blank``, empty."""

    outputs: tuple[tuple[str, Node], ...]
    bare: Scalar | None = None
    blank: bool = False


@dataclass(frozen=True, slots=True)
class Join:
    """A related row that the order looks at; it stays a left join."""

    row: Row
    link: Link
    visible: Predicate | None


@dataclass(frozen=True, slots=True)
class Order:
    """One sort key; NULLs are last ascending and first descending, unless ``nulls_last``."""

    expression: Expression
    descending: bool = False
    nulls_last: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of a list: which, in which order, how many (-1: all).

    ``multiplied`` are related rows that are joined, so that a row counts once for each of them; ``after``
    begins the list behind a cursor.
    """

    row: Row
    where: Predicate | None
    joins: tuple[Join, ...] = ()
    multiplied: tuple[Join, ...] = ()
    order: tuple[Order, ...] = ()
    limit: int = -1
    offset: int = 0
    after: Predicate | None = None


@dataclass(frozen=True, slots=True)
class Groups:
    """Groups of rows: keys at the top, aggregated values below their function.

    ``members`` are what the answer holds instead, where a request names each member.
    """

    keys: tuple[tuple[str, Scalar], ...]
    values: tuple[tuple[str, tuple[tuple[str, Scalar], ...]], ...]
    members: tuple[tuple[str, Node], ...] | None = None


@dataclass(frozen=True, slots=True)
class Counting:
    """A count of rows for ``meta``."""

    row: Row
    where: Predicate | None


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """One read. ``single`` answers with the first item, or nothing, instead of a list.

    ``empty`` are the members of the item to answer with where a singleton has no row. ``meta`` pairs a name
    with what it counts; ``cursor`` asks for the cursor that the next page begins behind. ``version`` is what
    tells one state of a single item from the next; it stands beside the answer, not in it. ``past`` is the
    moment to read as of, None for now.
    """

    collection: str
    page: Page
    answer: Level | Groups
    single: bool = False
    meta: tuple[tuple[str, Counting], ...] = ()
    empty: tuple[tuple[str, Any], ...] | None = None
    cursor: bool = False
    version: Ref | None = None
    past: Past | None = None
