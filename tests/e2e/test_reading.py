"""What an application reads while new versions arrive is always one of them, whole."""

from __future__ import annotations

import threading
from hashlib import sha256

from tests.support.apps import Application, wait_until
from tests.support.contents import Content
from tests.support.fleet import Fleet

SIZE_BYTES = 6 << 20
VERSIONS = 8


def test_a_reader_never_sees_a_torn_version(fleet: Fleet) -> None:
    contents = [Content("torn", version, SIZE_BYTES + version) for version in range(VERSIONS)]
    fleet.publisher.put("torn", "o", destinationType="gateway")
    fleet.publisher.put_data_in_pieces("torn", "o", contents[0])
    wait_until(lambda: fleet.apps["g1"].updated("torn"))
    readers = [Reader(fleet.edge("g1").app()), Reader(fleet.deployed.cloud.app())]

    for content in contents[1:]:
        fleet.publisher.put_data_in_pieces("torn", "o", content)
        # Some versions are overtaken on their way, others are not.
        if content.version % 2:
            wait_until(lambda: fleet.apps["g1"].digest("torn", "o") == content.digest)  # noqa: B023

    wait_until(lambda: readers[0].seen[-1:] == [contents[-1].digest])
    digests = [content.digest for content in contents]
    for reader in readers:
        reader.stop()
        versions = [digests.index(digest) for digest in reader.seen]
        assert len(versions) >= VERSIONS // 2
        assert versions == sorted(versions), "a reader was taken back to an older version"


def test_the_previous_version_stays_readable_until_the_new_one_is_whole(fleet: Fleet) -> None:
    old, new = (Content("whole", version, 3 * SIZE_BYTES) for version in (1, 2))
    gateway = fleet.apps["g1"]
    fleet.publisher.put("whole", "o", destinationType="gateway")
    fleet.publisher.put_data_in_pieces("whole", "o", old)
    wait_until(lambda: gateway.updated("whole"))

    position = fleet.publisher.put_piece("whole", "o", new, 0)
    assert fleet.publisher.digest("whole", "o") == old.digest
    while position < new.size_bytes:
        position = fleet.publisher.put_piece("whole", "o", new, position)
    assert fleet.publisher.digest("whole", "o") == new.digest

    with gateway.http.stream("GET", f"{fleet.edge('g1').base_url}/api/v1/objects/whole/o/data") as response:
        pieces = response.iter_raw()
        head = next(pieces)
        wait_until(lambda: gateway.digest("whole", "o") == new.digest)
        assert sha256(b"".join((head, *pieces))).hexdigest() in (old.digest, new.digest)


class Reader(threading.Thread):
    """Reads the object over and over; `seen` are the digests, in order, repeats left out."""

    def __init__(self, app: Application) -> None:
        super().__init__(daemon=True)
        self._app = app
        self._stopping = threading.Event()
        self._failure: Exception | None = None
        self.seen: list[str] = []
        self.start()

    def run(self) -> None:
        try:
            with self._app as app:
                while not self._stopping.is_set():
                    digest = app.digest("torn", "o")
                    if self.seen[-1:] != [digest]:
                        self.seen.append(digest)
        except Exception as error:  # noqa: BLE001 - whatever it was, the test reports it
            self._failure = error

    def stop(self) -> None:
        """Raises what went wrong while it read."""
        self._stopping.set()
        self.join()
        if self._failure is not None:
            raise self._failure
