"""Puts the load of one case on one server and says how much of it was answered in a second."""

import http.client
import subprocess
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from bench.cases import Case, Driver
from bench.client import call

CONNECTIONS = 16
_BATCH_CONNECTIONS = 2
_SCRIPT = Path(__file__).parent / "wrk" / "request.lua"


class LoadError(Exception):
    """The server failed under load, so there is no number."""


def rate(case: Case, url: str, seconds: float, folder: Path) -> float:
    """What the server did of `case` in a second, in the case's unit."""
    match case.driver:
        case Driver.WRK:
            return _wrk(case, url, seconds, folder)
        case Driver.BATCH:
            return _batches(case, url, seconds)
        case Driver.DOWNLOAD:
            began = time.perf_counter()
            answer = call(url + case.path, token=case.token)
            if not answer.ok:
                raise LoadError(f"{case.name}: status {answer.status}")
            return case.scale / (time.perf_counter() - began)


def _wrk(case: Case, url: str, seconds: float, folder: Path) -> float:
    body = "-"
    if case.body:
        file = folder / f"{case.name}.json"
        file.write_text(case.body)
        body = str(file)
    variables = [f"{v.name}:{v.low}:{v.high}:{v.form}" for v in case.variables]
    options = [
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{max(1, round(seconds))}",
        "--timeout",
        "30s",
        "-s",
        str(_SCRIPT),
    ]
    headers = ["-H", f"Authorization: Bearer {case.token}", "-H", "Content-Type: application/json"]
    command = ["wrk", *options, *headers, url, "--", case.method, case.path, body, *variables]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    numbers = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("summary ")]
    if done.returncode or not numbers:
        raise LoadError(f"{case.name}: wrk failed: {done.stderr.strip() or done.stdout.strip()}")
    requests, microseconds, refused, broken = map(int, numbers[0])
    if refused or broken:
        raise LoadError(f"{case.name}: {refused} answers with an error status, {broken} broken connections")
    return requests * case.scale / (microseconds / 1e6)


def _batches(case: Case, url: str, seconds: float) -> float:
    counts: list[int] = []
    began = time.perf_counter()
    threads = [
        threading.Thread(target=lambda: counts.append(_send_until(case, url, began + seconds)))
        for _ in range(_BATCH_CONNECTIONS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - began
    if len(counts) < _BATCH_CONNECTIONS:
        raise LoadError(f"{case.name}: a batch was refused")
    return sum(counts) * case.scale / elapsed


def _send_until(case: Case, url: str, end: float) -> int:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=600)
    headers = {"Authorization": f"Bearer {case.token}", "Content-Type": "application/json"}
    count = 0
    while count == 0 or time.perf_counter() < end:
        connection.request(case.method, case.path, case.body, headers)
        response = connection.getresponse()
        answer = response.read()
        if response.status >= 300:
            raise LoadError(f"{case.name}: {response.status} {answer[:300]!r}")
        count += 1
    connection.close()
    return count
