"""Compares answers before anything is measured: a fast wrong answer is worth nothing."""

from itertools import pairwise

from bench import limit
from bench.cases import Case, Driver
from bench.client import Answer, call
from bench.servers import Server

_SAMPLES = 5
_NOT_THERE = frozenset({404, 405, 501})


class DifferentAnswersError(Exception):
    """Two sides answer the same question differently."""


class NotThereError(Exception):
    """A server has no such endpoint yet."""


def check(case: Case, servers: list[Server], limit_database: str | None) -> None:
    """Ask all sides the same few questions and demand equal answers."""
    for part in range(1 if case.writes or not case.variables else _SAMPLES):
        values = {v.name: v.sample(part + 1, _SAMPLES + 1) for v in case.variables}
        answers = {server.side: _comparable(case, ask(case, server, values)) for server in servers}
        if limit_database is not None and case.limit_same_answer and not case.writes:
            answers["limit"] = _comparable_limit(case, limit_database, values)
        _demand_equal(case, answers)


def ask(case: Case, server: Server, values: dict[str, str]) -> Answer:
    """Put the case's request with these variables."""
    answer = call(
        server.url + _fill(case.path, values), case.method, _fill(case.body, values) or None, token=case.token
    )
    if case.may_be_missing and answer.status in _NOT_THERE:
        raise NotThereError(f"{server.side} answers {answer.status}")
    if not answer.ok:
        raise DifferentAnswersError(
            f"{server.side}: {answer.status} {answer.body[:300].decode(errors='replace')}"
        )
    return answer


def difference(left: object, right: object, place: str = "") -> str | None:
    """Where two JSON values differ first, or None."""
    if isinstance(left, dict) and isinstance(right, dict):
        if left.keys() != right.keys():
            return f"{place or '/'}: members {sorted(left)} and {sorted(right)}"
        pairs = [(f"{place}/{key}", left[key], right[key]) for key in left]
    elif isinstance(left, list) and isinstance(right, list):
        if len(left) != len(right):
            return f"{place or '/'}: {len(left)} and {len(right)} entries"
        pairs = [(f"{place}/{index}", *both) for index, both in enumerate(zip(left, right, strict=True))]
    else:
        return None if left == right else f"{place or '/'}: {str(left)[:100]!r} and {str(right)[:100]!r}"
    return next((found for where, one, two in pairs if (found := difference(one, two, where))), None)


def _demand_equal(case: Case, answers: dict[str, object]) -> None:
    for (first, expected), (second, answer) in pairwise(answers.items()):
        if found := difference(expected, answer):
            raise DifferentAnswersError(f"{case.name}: {first} and {second} differ at {found}")


def _comparable(case: Case, answer: Answer) -> object:
    if case.driver is Driver.DOWNLOAD:
        return _cells(answer.body.decode())
    return _without_keys(answer.json) if case.writes else answer.json


def _comparable_limit(case: Case, database: str, values: dict[str, str]) -> object:
    found = limit.answer(case, case.limit, database, values)
    return _cells(str(found)) if case.driver is Driver.DOWNLOAD else found


def _cells(text: str) -> list[str]:
    """The lines of a CSV file, however it quotes."""
    return text.replace('"', "").replace("\r\n", "\n").strip("\n").split("\n")


def _without_keys(value: object) -> object:
    """The answer to a write without its primary keys, which go their own way on each side."""
    if isinstance(value, dict):
        return {key: _without_keys(member) for key, member in value.items() if key != "id"}
    if isinstance(value, list):
        return [_without_keys(member) for member in value]
    return value


def _fill(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"<{name}>", value)
    return text
