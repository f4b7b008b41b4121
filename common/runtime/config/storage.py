"""Where objects are kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from common.runtime.setting_kinds import absolute, choice, directory, integer, secret, text
from common.runtime.settings import CSS_ONLY, ESS_ONLY, Problem, Role, Secret, setting

_POSTGRES_SCHEMES = frozenset({"postgres", "postgresql"})


class StorageProvider(StrEnum):
    """The database."""

    SQLITE = "sqlite"
    POSTGRES = "postgres"


class PayloadStoreChoice(StrEnum):
    """Where payloads too large for the object's own row are kept."""

    #: Beside the database: files with SQLite, postgres with PostgreSQL.
    AUTO = "auto"
    FILES = "files"
    POSTGRES = "postgres"


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """Storage."""

    root: Path = setting(
        "PersistenceRootPath",
        "PERSISTENCE_ROOT_PATH",
        directory(),
        Path("/var/edge-sync-service/persist"),
        "Directory of everything the service keeps; a relative one is below the working directory.",
    )
    provider: StorageProvider = setting(
        "StorageProvider",
        "STORAGE_PROVIDER",
        choice(
            StorageProvider,
            synonyms={"bolt": StorageProvider.SQLITE, "inmemory": StorageProvider.SQLITE},
            cautions={
                "bolt": "bolt does not exist in this version; sqlite is used, and data kept by bolt is not read",
                "inmemory": "inmemory does not exist in this version; sqlite is used, and what it holds survives a restart",
            },
            refused={"mongo": "postgres, and the database in DatabaseURL"},
        ),
        StorageProvider.SQLITE,
        "Database: sqlite, a file of this service; or, on a CSS, postgres, shared by any number of replicas.",
    )
    database_url: Secret = setting(
        "DatabaseURL",
        "DATABASE_URL",
        secret(),
        Secret(),
        "Database of a CSS with StorageProvider postgres, required there; hidden wherever settings are shown.",
        roles=CSS_ONLY,
        example="postgresql://css:PASSWORD@localhost:5432/css",
    )
    payload_store_choice: PayloadStoreChoice = setting(
        "PayloadStore",
        "PAYLOAD_STORE",
        choice(PayloadStoreChoice),
        PayloadStoreChoice.AUTO,
        "Where payloads larger than SmallPayloadBytes are kept; auto: files with sqlite, postgres with postgres.",
        roles=CSS_ONLY,
    )
    small_payload_bytes: int = setting(
        "SmallPayloadBytes",
        "SMALL_PAYLOAD_BYTES",
        integer(0, 1024 * 1024, unit="bytes"),
        32 * 1024,
        "Payloads up to this size are kept in the database, in the same commit as the object.",
    )
    consumed_objects_kept: int = setting(
        "ESSConsumedObjectsKept",
        "ESS_CONSUMED_OBJECTS_KEPT",
        integer(0, 1_000_000),
        1000,
        "Number of objects sent up and consumed there whose metadata is kept for reporting.",
        roles=ESS_ONLY,
    )

    data_files_path: str = setting(
        "DataFilesPath",
        "DATA_FILES_PATH",
        text(),
        "sync/data",
        "Directory whose files sourceDataUri and destinationDataUri may name; a relative one is below PersistenceRootPath.",
        roles=ESS_ONLY,
    )

    @property
    def payload_store(self) -> PayloadStoreChoice:
        """FILES or POSTGRES."""
        if self.payload_store_choice is not PayloadStoreChoice.AUTO:
            return self.payload_store_choice
        uses_postgres = self.provider is StorageProvider.POSTGRES
        return PayloadStoreChoice.POSTGRES if uses_postgres else PayloadStoreChoice.FILES

    @property
    def database_directory(self) -> Path:
        return self.root / "sync" / "db"

    @property
    def payload_directory(self) -> Path:
        return self.root / "sync" / "payloads"

    @property
    def certificate_directory(self) -> Path:
        return self.root / "sync" / "certs"

    @property
    def identity_directory(self) -> Path:
        return self.root / "sync" / "node"

    @property
    def data_directory(self) -> Path:
        """The only files that objects may name."""
        return absolute(self.root / self.data_files_path)

    @property
    def delivered_files_directory(self) -> Path:
        return self.root / "sync" / "delivered"

    def problems(self, program: Role) -> Iterator[Problem]:
        if self.provider is StorageProvider.POSTGRES and program is Role.ESS:
            yield Problem("StorageProvider", "is postgres, which a CSS only has; write sqlite")
        elif self.provider is StorageProvider.POSTGRES:
            yield from self._database_url_problems()
        elif self.payload_store is PayloadStoreChoice.POSTGRES:
            yield Problem("PayloadStore", "is postgres, which needs StorageProvider postgres; write files or auto")
        if program is Role.ESS and self._exposes_state():
            yield Problem("DataFilesPath", "is where the service keeps its own state; write a directory of its own")

    def cautions(self) -> Iterator[Problem]:
        if self.database_url and self.provider is StorageProvider.SQLITE:
            yield Problem(
                "DatabaseURL", "is not used with StorageProvider sqlite; write StorageProvider postgres to use it"
            )

    def _exposes_state(self) -> bool:
        """Could an object name a file of the service itself, such as its database or its credentials?"""
        state = absolute(self.root / "sync")
        if state.is_relative_to(self.data_directory):
            return True
        own = ("db", "payloads", "certs", "delivered", "node")
        return any(self.data_directory.is_relative_to(state / name) for name in own)

    def _database_url_problems(self) -> Iterator[Problem]:
        shape = "write postgresql://user:password@host:port/database"
        if not self.database_url:
            yield Problem("DatabaseURL", f"is required with StorageProvider postgres; {shape}")
        elif not _is_postgres_url(self.database_url.reveal()):
            yield Problem("DatabaseURL", f"is not the address of a PostgreSQL database; {shape}")


def _is_postgres_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # Reading the port is what checks it.
        return parts.scheme in _POSTGRES_SCHEMES and url.startswith(f"{parts.scheme}://") and parts.port != 0
    except ValueError:
        return False
