"""The golden transcripts, all of them: a cloud and two edges as processes, on each engine."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support.golden_trio import ORG, running_trio

_GOLDEN = Path(__file__).resolve().parents[1] / "golden"

#: Played against the reference, and written from its description alone.
_FOLDERS = (_GOLDEN / "scenarios", _GOLDEN / "ours")

SCENARIOS = frozenset(path.stem for folder in _FOLDERS for path in folder.glob("*.json"))


@pytest.mark.timeout(300)
def test_golden_transcripts_are_played_without_a_difference(database_url: str | None) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="edgesync-") as directory,
        running_trio(Path(directory), database_url) as trio,
    ):
        report_path = Path(directory) / "report.json"
        urls = {"--css": trio.css, "--ess": trio.ess, "--ess2": trio.ess2}
        subprocess.run(
            [
                sys.executable,
                str(_GOLDEN / "run_transcripts.py"),
                *(part for option, service in urls.items() for part in (option, service.base_url)),
                *(part for folder in _FOLDERS for part in ("--scenarios", str(folder))),
                *("--accounts", str(_GOLDEN / "accounts.reference.json")),
                *("--org", ORG),
                *("--jobs", "4"),
                *("--patience", "3"),
                *("--json", str(report_path)),
            ],
            check=False,
            timeout=240,
        )
        played = json.loads(report_path.read_text())["scenarios"]

    different = [
        f"{s['name']}, step {s['step']}: {s['request']}: {s['difference']}" for s in played if s["result"] != "pass"
    ]
    assert different == []
    assert {scenario["name"] for scenario in played} == SCENARIOS
