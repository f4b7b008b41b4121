"""What a program imports at start decides its memory and its start-up time."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"alembic", "cryptography", "httpx", "psycopg", "sqlalchemy", "starlette", "uvicorn"}
NEVER_RESIDENT = {"alembic", "sqlalchemy.orm"}
ENTRY_POINTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]


def modules_after_importing(name: str) -> set[str]:
    """What a fresh interpreter has loaded after `import name`."""
    program = f"import {name}, sys; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize("target", ENTRY_POINTS.values(), ids=ENTRY_POINTS.keys())
def test_a_command_that_serves_nothing_loads_no_server(target: str) -> None:
    module, _, _ = target.partition(":")

    assert modules_after_importing(module) & HEAVY == set()


@pytest.mark.parametrize("service", ["css", "ess"])
def test_a_serving_process_never_loads_the_migration_tool_or_the_orm(service: str) -> None:
    assert modules_after_importing(f"{service}.app") & NEVER_RESIDENT == set()
