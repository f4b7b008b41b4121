"""The file that is sent."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PIECE_BYTES = 4 << 20

#: The largest file of an installation may be a curiosity; this much is enough to see something and quick enough to wait for.
_LARGEST_DEFAULT_BYTES = 256 << 20


@dataclass(frozen=True)
class Payload:
    """A file and what an application has to find when it has arrived."""

    path: Path
    size_bytes: int
    sha256: str

    @property
    def object_id(self) -> str:
        """The file's name with what a name of an object may hold."""
        return re.sub(r"[^A-Za-z0-9._-]", "_", self.path.name)

    def pieces(self) -> Iterator[tuple[int, bytes]]:
        """Offset and bytes of each piece; one empty piece for an empty file."""
        with self.path.open("rb") as file:
            yield 0, file.read(PIECE_BYTES)
            while piece := file.read(PIECE_BYTES):
                yield file.tell() - len(piece), piece


def read_payload(path: Path) -> Payload:
    """Raises OSError."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Payload(path, file.tell(), digest)


def largest_file_of_python() -> Path:
    """The largest readable file of the Python installation that runs this, up to 256 MiB.

    A distribution's Python shares its prefix with everything else, so its own places are looked at one by one.
    """
    found = (each for place in _places_of_python() for each in _files_below(place))
    return max(found, key=lambda each: each[0], default=(0, Path(os.__file__)))[1]


def _places_of_python() -> Iterator[Path]:
    yield Path(sysconfig.get_path("stdlib"))
    yield Path(sys.executable).resolve()
    library_directory = sysconfig.get_config_var("LIBDIR")
    if library_directory:
        yield from Path(str(library_directory)).glob("libpython*")


def _files_below(place: Path) -> Iterator[tuple[int, Path]]:
    """Sizes and paths of the files in a folder and those below it, or of one file."""
    for path in place.rglob("*") if place.is_dir() else [place]:
        try:
            status = path.lstat()
        except OSError:
            continue  # gone meanwhile
        if stat.S_ISREG(status.st_mode) and status.st_size <= _LARGEST_DEFAULT_BYTES and os.access(path, os.R_OK):
            yield status.st_size, path
