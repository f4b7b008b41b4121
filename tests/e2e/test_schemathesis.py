"""Generated requests against the documents the services publish: nothing they answer is undocumented, nothing breaks them.

EDGESYNC_SCHEMATHESIS_SECONDS makes the search longer, EDGESYNC_SCHEMATHESIS_SEED another one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support.golden_trio import running_trio
from tests.support.service_process import Service

_ROOT = Path(__file__).resolve().parents[2]
_SECONDS = int(os.environ.get("EDGESYNC_SCHEMATHESIS_SECONDS", "20"))
_SEED = os.environ.get("EDGESYNC_SCHEMATHESIS_SEED", "1")
_CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
#: What would end the service, and what never ends.
_NEVER = ("shutDown", "streamEvents")
_SYNC_ADMIN = "root@golden:unused"

#: By what the second half of a search may exceed the first: allocators and caches settle, leaks do not.
_GROWTH_BYTES = 12 << 20


@pytest.mark.timeout(_SECONDS * 4 + 120)
def test_generated_requests_find_no_undocumented_answer_and_no_leak() -> None:
    with tempfile.TemporaryDirectory(prefix="edgesync-") as directory, running_trio(Path(directory), None) as trio:
        for service in (trio.css, trio.ess):
            _search(service, Path(directory), "examples,coverage,fuzzing", _SECONDS // 2)
            settled_bytes = service.memory_bytes()
            _search(service, Path(directory), "fuzzing,stateful", _SECONDS)
            assert service.memory_bytes() < settled_bytes + _GROWTH_BYTES
            assert "request_failed" not in service.log_path.read_text()


def _search(service: Service, directory: Path, phases: str, seconds: int) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{service.base_url}/openapi.json"),
            *("--auth", _SYNC_ADMIN),
            # Errors without a body have no media type; as problem documents all of them are documented.
            *("--header", "Accept: application/problem+json"),
            *("--checks", ",".join(_CHECKS)),
            *(part for operation_id in _NEVER for part in ("--exclude-operation-id", operation_id)),
            *("--phases", phases),
            *("--max-examples", "20"),
            *("--max-time", str(seconds)),
            *("--seed", _SEED),
            *("--request-timeout", "20"),
            *("--continue-on-failure", "--no-shrink"),
            *("--warnings", "off"),
        ],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(_ROOT), "SCHEMATHESIS_HOOKS": "tests.support.schemathesis_hooks"},
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds + 90,
    )
    assert done.returncode == 0, f"{service.name}:\n{done.stdout[-6000:]}\n{done.stderr[-2000:]}"
