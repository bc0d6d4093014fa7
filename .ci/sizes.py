"""Small by rule: no file over 400 lines, no function over 50.

Exceptions stand in `.ci/sizes.txt`, one `path lines` or `path:function lines` a line. They may only shrink:
the check fails on anything larger than allowed, and on an exception larger than its code. Prints the ten
largest of each kind.
"""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("domain", "projections", "services", "api", "workers", "cli", "tests", "bench", ".ci")
FILE_LINES = 400
FUNCTION_LINES = 50
SHOWN = 10


def measure() -> tuple[dict[str, int], dict[str, int]]:
    """Lines of each file and of each function."""
    files, functions = {}, {}
    for path in sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")):
        name, text = str(path.relative_to(ROOT)), path.read_text()
        files[name] = len(text.splitlines())
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
                functions[f"{name}:{node.name}"] = node.end_lineno - node.lineno + 1
    return files, functions


def exceptions() -> dict[str, int]:
    """What is allowed to be larger, and how large."""
    lines = (ROOT / ".ci" / "sizes.txt").read_text().splitlines()
    pairs = [line.rsplit(maxsplit=1) for line in lines if line and not line.startswith("#")]
    return {name: int(size) for name, size in pairs}


def main() -> int:
    """Print the largest and all violations; 1 when there is one."""
    allowed = exceptions()
    violations = []
    for sizes, limit, kind in zip(measure(), (FILE_LINES, FUNCTION_LINES), ("file", "function"), strict=True):
        largest = sorted(sizes.items(), key=lambda pair: -pair[1])
        print(f"largest {kind}s: " + ", ".join(f"{name} {size}" for name, size in largest[:SHOWN]))
        for name, size in largest:
            if size > allowed.get(name, limit):
                violations.append(f"{name}: {size} lines, {allowed.get(name, limit)} allowed")
            elif size < allowed.get(name, 0):
                violations.append(f"{name}: {size} lines, lower its exception in .ci/sizes.txt")
        known = sizes.keys()
        violations += [
            f"{name}: gone, remove its exception"
            for name in allowed
            if (":" in name) == (kind == "function") and name not in known
        ]
    print("\n".join(violations) or "sizes are fine")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
