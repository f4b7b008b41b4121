"""Migrate scratch databases of both services to the newest revision, then ask Alembic whether the tables still differ.

Run from the root of the repository with that root on the import path. SQLite for both services, PostgreSQL for the
cloud service where the server is installed (`scripts/test` runs the migrations on it in any case).
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.server_binaries import ServerMissing
from tests.support.servers import running_postgres


def main() -> int:
    """0 when migrations and tables agree."""
    if not Path("alembic.ini").exists():
        print("no alembic.ini yet")
        return 0
    with tempfile.TemporaryDirectory() as directory:
        sqlite_agrees = [_agree(service, f"sqlite:///{directory}/{service}.sqlite3") for service in ("css", "ess")]
    return 0 if all([*sqlite_agrees, _css_agrees_on_postgres()]) else 1


def _css_agrees_on_postgres() -> bool:
    try:
        with running_postgres() as server, server.database() as url:
            return _agree("css", url.replace("postgresql://", "postgresql+psycopg://", 1))
    except ServerMissing as missing:
        print(f"css on PostgreSQL left out: {missing}")
        return True


def _agree(service: str, url: str) -> bool:
    alembic = [sys.executable, "-m", "alembic", "--name", service, "-x", f"url={url}"]
    for action in (["upgrade", "head"], ["check"]):
        done = subprocess.run([*alembic, *action], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            print(f"{service} on {url.partition(':')[0]}: alembic {' '.join(action)}:\n{done.stdout}{done.stderr}")
            return False
    return True


if __name__ == "__main__":
    sys.exit(main())
