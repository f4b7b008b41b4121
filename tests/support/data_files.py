"""Files that objects name, for edges that are built by hand."""

from __future__ import annotations

from pathlib import Path

from common.sync.ports import Database
from ess.store.data_directory import DataDirectory
from ess.store.delivered_files import DeliveredFiles
from ess.workers.data_files import DataFiles


def data_files_below(root: Path, database: Database) -> DataFiles:
    """Files in `root/data`; what was written is remembered beside it."""
    return DataFiles(DataDirectory(root / "data"), DeliveredFiles(root / "delivered"), database)


def no_data_files(database: Database) -> DataFiles:
    """For an edge none of whose objects names a file."""
    return data_files_below(Path("/nonexistent"), database)
