"""Data delivered into files: written before its object is shown, removed once it is used up."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from common.domain.objects import ObjectStatus
from common.domain.reception import Reception, ReceptionState
from common.runtime.logs import fields
from common.sync.payloads import Piece
from common.sync.ports import Database, UnitOfWork
from ess.store.data_directory import DataDirectory, DataFileRefused
from ess.store.delivered_files import DeliveredFile, DeliveredFiles

log = logging.getLogger(__name__)

_SHOWN = frozenset({ObjectStatus.COMPLETELY_RECEIVED, ObjectStatus.RECEIVED})

#: While files stand, what became of their objects is looked at this often; wake-ups make it sooner.
_RECHECK_SECONDS = 60.0


class DataFiles:
    """Shared by the fetchers, which write, and a worker, whose turns remove."""

    def __init__(self, directory: DataDirectory, delivered: DeliveredFiles, database: Database) -> None:
        self._directory = directory
        self._delivered = delivered
        self._database = database
        self._freed = threading.Condition()
        self._busy: set[str] = set()

    def check(self, reception: Reception) -> None:
        """Raises DataFileRefused when the file it names, if any, may never be written: no need to fetch its data."""
        if reception.meta.destination_data_uri:
            self._directory.check_writable(reception.meta.destination_data_uri)

    def deliver(self, reception: Reception, pieces: Iterable[Piece]) -> None:
        """Write the verified data of an object that is about to be shown to the file it names, if any.

        Raises DataFileRefused, with the file as it was before.
        """
        uri = reception.meta.destination_data_uri
        if not uri:
            return
        with self._alone_with(uri):
            before = self._delivered.remember(DeliveredFile(uri, reception.object))
            try:
                self._directory.replace(uri, pieces)
            except BaseException:
                if before is not None:
                    self._delivered.remember(before)
                raise

    def turn(self) -> float | None:
        """Remove the files of objects that were consumed, deleted, or now name another file."""
        files = self._delivered.list_all()
        for file in files:
            with self._alone_with(file.uri):
                if not self._database.read(lambda uow, file=file: _is_wanted(uow, file)):  # type: ignore[misc]
                    self._remove(file)
        return _RECHECK_SECONDS if files else None

    def _remove(self, file: DeliveredFile) -> None:
        try:
            self._directory.remove(file.uri)
        except DataFileRefused as error:
            log.warning("data_file_not_removed", extra=fields(key=str(file.object), reason=str(error)))
        else:
            self._delivered.forget(file.uri)

    @contextmanager
    def _alone_with(self, uri: str) -> Iterator[None]:
        with self._freed:
            self._freed.wait_for(lambda: uri not in self._busy)
            self._busy.add(uri)
        try:
            yield
        finally:
            with self._freed:
                self._busy.remove(uri)
                self._freed.notify_all()


def _is_wanted(uow: UnitOfWork, file: DeliveredFile) -> bool:
    """Does an object that applications may use name this file, or one whose data is just coming?"""
    item = uow.objects.find(file.object)
    if item is not None and item.status in _SHOWN and item.meta.destination_data_uri == file.uri:
        return True
    reception = uow.receptions.find(file.object)
    if reception is None or reception.state is not ReceptionState.FETCHING:
        return False
    return reception.meta.destination_data_uri == file.uri
