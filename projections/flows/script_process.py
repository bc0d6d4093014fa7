"""The process of one script: an order on standard input, its outcome on standard output."""

from __future__ import annotations

import json
import os
import re
import sys
from typing import Any

from py_mini_racer import JSEvalException, JSOOMException, JSTimeoutException, MiniRacer

_FRAME = """
const __lines = [];
const __shown = part => typeof part === 'string' ? part : JSON.stringify(part);
const __say = (...parts) => __lines.push(parts.map(__shown).join(' '));
const console = {log: __say, info: __say, warn: __say, error: __say, debug: __say, trace: __say};
const process = {env: JSON.parse(%(env)s)};
const module = {exports: null};
const exports = {};
let __outcome = null;
const __told = thrown => thrown instanceof Error ? {name: thrown.name, message: thrown.message} : thrown;
const __failed = thrown => { __outcome = {thrown: __told(thrown) === undefined ? null : __told(thrown)}; };
try {
  (0, eval)(%(code)s);
  if (typeof module.exports !== 'function') throw new TypeError('module.exports is not a function');
  Promise.resolve(module.exports(JSON.parse(%(data)s))).then(
    value => { __outcome = {value: value === undefined ? null : value}; }, __failed);
} catch (thrown) { __failed(thrown); }
"""
_OUTCOME = """
JSON.stringify({...(__outcome === null ? {thrown: {name: 'Error', message: 'The script never came to an end'}}
  : __outcome), log: __lines})
"""


def main() -> None:
    """Run the order."""
    order: dict[str, Any] = json.load(sys.stdin)
    texts = {name: json.dumps(json.dumps(order[name])) for name in ("env", "data")}
    seconds = float(order["seconds"])
    engine = MiniRacer()
    engine.set_hard_memory_limit(int(order["memory"]))
    try:
        engine.eval(_FRAME % {**texts, "code": json.dumps(order["code"])}, timeout_sec=seconds)
        answer = str(engine.eval(_OUTCOME, timeout_sec=seconds))
    except JSTimeoutException:
        answer = json.dumps({"thrown": {"name": "Error", "message": "The script ran too long"}})
    except JSOOMException:
        answer = json.dumps({"thrown": {"name": "Error", "message": "The script wanted too much memory"}})
    except JSEvalException as error:
        answer = json.dumps({"thrown": _told(str(error))})
    sys.stdout.write(answer)
    sys.stdout.flush()
    # The engine's own end may hang after an error; nothing here needs tidying up.
    os._exit(0)


def _told(text: str) -> dict[str, str]:
    """What the engine says of code that it can't read, or of a result that is no JSON."""
    found = re.search(r"(\w*Error): (.*)", text)
    if found is None:
        return {"name": "Error", "message": text.partition("\n")[0]}
    return {"name": found[1], "message": found[2]}


if __name__ == "__main__":
    main()
