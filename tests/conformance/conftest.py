"""Finds the conformance kit: in the folder of ACTA_SHARED, else beside the repository.

The kit is not part of this repository. Where it is not there, its tests are not collected.
"""

import os
from pathlib import Path

KIT = Path(os.environ.get("ACTA_SHARED") or Path(__file__).parents[3] / "shared") / "conformance"

collect_ignore = [] if (KIT / "replay.py").is_file() else ["test_replay.py"]


def pytest_report_header() -> str:
    """Say whether conformance is tested, so that its absence can't go unseen."""
    return f"conformance kit: {KIT}" if not collect_ignore else f"conformance kit: none at {KIT}, not tested"
