"""Transfers of data under way: how many at once, of one caller and of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from common.domain.errors import TooManyRequests
from common.domain.principals import Principal


class Transfers:
    """Counts the transfers of this process."""

    def __init__(self, uploads: int, per_caller: int, ranged_downloads: int) -> None:
        """At most `uploads` and `ranged_downloads` at once; of one caller `per_caller` uploads and as many downloads."""
        self._free_uploads = uploads
        self._free_ranges = ranged_downloads
        self._per_caller = per_caller
        self._under_way: Counter[Hashable] = Counter()

    @contextmanager
    def upload(self, caller: Principal) -> Iterator[None]:
        """One upload, until the context ends. Raises TooManyRequests."""
        if self._free_uploads <= 0:
            raise TooManyRequests("Too many uploads at once; try again later.")
        self._check_share("upload", caller)
        self._free_uploads -= 1
        try:
            with self._counted("upload", caller):
                yield
        finally:
            self._free_uploads += 1

    def check_download(self, caller: Principal, *, is_ranged: bool) -> None:
        """May another download begin? Raises TooManyRequests."""
        if is_ranged and self._free_ranges <= 0:
            raise TooManyRequests("Too many downloads at once; try again later.")
        self._check_share("download", caller)

    @contextmanager
    def download(self, caller: Principal, *, is_ranged: bool) -> Iterator[None]:
        """One download that was found to be allowed, until the context ends."""
        self._free_ranges -= is_ranged
        try:
            with self._counted("download", caller):
                yield
        finally:
            self._free_ranges += is_ranged

    def _check_share(self, direction: str, caller: Principal) -> None:
        if self._under_way[direction, caller] >= self._per_caller:
            raise TooManyRequests(f"Too many {direction}s of this caller at once; try again later.")

    @contextmanager
    def _counted(self, direction: str, caller: Principal) -> Iterator[None]:
        key = (direction, caller)
        self._under_way[key] += 1
        try:
            yield
        finally:
            self._under_way[key] -= 1
            if not self._under_way[key]:
                del self._under_way[key]
