"""Data is checked and put into its file before an object is shown, on an edge as its workers run."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from common.domain.ids import cloud_of
from common.domain.metadata import Metadata
from common.domain.reception import Answer
from common.runtime.digests import RunningDigests
from common.sync.receiver import OwedAnswer
from ess.workers.data_files import DataFiles
from ess.workers.fetcher import Fetcher
from tests.support.cloud_double import CloudDouble, in_flight, link_up
from tests.support.data_files import data_files_below
from tests.support.payloads import MemoryPayloadStore
from tests.support.sides import ORG, Side, key
from tests.support.signing import signed_members

CLOUD = cloud_of(ORG)
SMALL, LARGE = b"signed content", bytes(range(256)) * 4
SMALL_BYTES = 100


@dataclass
class Arrivals:
    """An edge that is told of objects and fetches them."""

    edge: Side
    root: Path
    store: MemoryPayloadStore = field(default_factory=MemoryPayloadStore)

    def __post_init__(self) -> None:
        self.data_files = self.restarted_files()

    def restarted_files(self) -> DataFiles:
        return data_files_below(self.root, self.edge.database)

    def announce(self, instance: int, size: int, **members: object) -> None:
        values = {"data_id": instance, **members}
        meta = Metadata(object_id="o1", object_type="model", instance_id=instance, object_size=size, **values)  # type: ignore[arg-type]
        self.edge.database.write(lambda uow: self.edge.receiver.update_arrived(uow, key(), meta, CLOUD))

    def fetch(self, data: bytes) -> CloudDouble:
        cloud = CloudDouble(data, hashlib.sha256(data).hexdigest())
        self._fetcher(cloud).turn()
        return cloud

    def arrive(self, instance: int, data: bytes, **members: object) -> None:
        self.announce(instance, len(data), **members)
        self.fetch(data)
        self.data_files.turn()

    def consume(self) -> None:
        self.edge.database.write(lambda uow: self.edge.receiver.consumed_by_application(uow, key()))
        self.data_files.turn()

    def shown(self) -> tuple[str, int] | None:
        item = self.edge.find()
        return (item.status.value, item.instance) if item is not None else None

    def owed(self) -> list[OwedAnswer]:
        self.edge.clock.advance(seconds=1)
        return self.edge.database.write(lambda uow: self.edge.receiver.claim_answers(uow, CLOUD, limit=10))

    def uri(self, name: str = "f") -> str:
        return f"file://{self.root}/data/{name}"

    def files(self) -> dict[str, bytes]:
        data = self.root / "data"
        return {str(path.relative_to(data)): path.read_bytes() for path in data.rglob("*") if path.is_file()}

    def _fetcher(self, cloud: CloudDouble) -> Fetcher:
        return Fetcher(
            cloud,
            self.edge.database,
            self.edge.receiver,
            self.store,
            RunningDigests(),
            link_up(),
            in_flight(),
            SMALL_BYTES,
            self.data_files,
        )


@pytest.fixture
def arrivals(edge: Side, tmp_path: Path) -> Arrivals:
    (tmp_path / "data").mkdir()
    return Arrivals(edge, tmp_path)


@pytest.mark.parametrize("data", [b"", SMALL, LARGE], ids=["empty", "small", "large"])
@pytest.mark.parametrize("algorithm", ["SHA1", "SHA256"])
def test_data_with_a_good_signature_is_shown(arrivals: Arrivals, data: bytes, algorithm: str) -> None:
    arrivals.arrive(10, data, **signed_members(data, algorithm))

    assert arrivals.shown() == ("completelyReceived", 10)
    assert [each.answer for each in arrivals.owed()] == [Answer.RECEIVED]


@pytest.mark.parametrize("data", [b"", SMALL, LARGE], ids=["empty", "small", "large"])
@pytest.mark.parametrize("algorithm", ["SHA1", "SHA256"])
def test_data_with_a_bad_signature_is_reported_and_not_kept(arrivals: Arrivals, data: bytes, algorithm: str) -> None:
    arrivals.arrive(10, data, **signed_members(b"something else", algorithm))

    [owed] = arrivals.owed()
    assert arrivals.shown() == ("receiverVerificationFailed", 10)
    assert (owed.answer, "signature" in owed.message) == (Answer.FEEDBACK, True)
    assert list(arrivals.store.names()) == []


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
def test_a_bad_version_leaves_the_good_one_readable(arrivals: Arrivals, data: bytes) -> None:
    arrivals.arrive(10, data, **signed_members(data))

    arrivals.arrive(20, data, **signed_members(b"something else"))

    assert arrivals.shown() == ("completelyReceived", 10)
    assert [each.answer for each in arrivals.owed()] == [Answer.FEEDBACK]


def test_the_same_instance_is_shown_once_its_data_is_right(arrivals: Arrivals) -> None:
    members = signed_members(SMALL)
    arrivals.arrive(10, SMALL[::-1], **members)
    failed = arrivals.shown()

    arrivals.announce(10, len(SMALL), **members)
    meanwhile = arrivals.shown()
    arrivals.fetch(SMALL)

    assert failed == ("receiverVerificationFailed", 10)
    assert meanwhile == ("partiallyreceived", 10)
    assert arrivals.shown() == ("completelyReceived", 10)


def test_a_signature_that_comes_with_metadata_alone_is_checked_as_well(arrivals: Arrivals) -> None:
    members = signed_members(SMALL)
    arrivals.arrive(10, SMALL, **members)

    arrivals.announce(20, len(SMALL), data_id=10, **members)
    unchanged = arrivals.shown()
    arrivals.arrive(30, SMALL, data_id=10, **signed_members(b"something else"))

    assert unchanged == ("completelyReceived", 20)
    assert arrivals.shown() == ("completelyReceived", 20)


@pytest.mark.parametrize("data", [b"", SMALL, LARGE], ids=["empty", "small", "large"])
def test_data_is_in_its_file_when_the_object_is_shown(arrivals: Arrivals, data: bytes) -> None:
    arrivals.arrive(10, data, destination_data_uri=arrivals.uri("deep/below/f"))

    assert arrivals.shown() == ("completelyReceived", 10)
    assert arrivals.files() == {"deep/below/f": data}


@pytest.mark.parametrize(
    "uri", ["file:///etc/edgesync-test", "file://host/x", "{root}/data/../x", "{root}/data", "{root}/data/taken"]
)
def test_a_file_that_may_not_be_written_is_reported(arrivals: Arrivals, uri: str) -> None:
    (arrivals.root / "data" / "taken").mkdir()
    arrivals.announce(10, 14, destination_data_uri=uri.replace("{root}", f"file://{arrivals.root}"))
    cloud = arrivals.fetch(SMALL)

    [owed] = arrivals.owed()
    assert arrivals.shown() == ("partiallyreceived", 10)
    assert (owed.answer, "destinationDataUri" in owed.message) == (Answer.FEEDBACK, True)
    assert (cloud.asked != []) == uri.endswith("taken"), "data that has nowhere to go is not fetched"
    assert arrivals.files() == {}


def test_wrong_data_never_touches_the_file(arrivals: Arrivals) -> None:
    arrivals.arrive(10, SMALL, destination_data_uri=arrivals.uri(), **signed_members(SMALL))

    arrivals.arrive(20, LARGE, destination_data_uri=arrivals.uri(), **signed_members(SMALL))

    assert arrivals.files() == {"f": SMALL}


def test_a_new_version_replaces_the_file_and_a_new_name_moves_it(arrivals: Arrivals) -> None:
    arrivals.arrive(10, SMALL, destination_data_uri=arrivals.uri("a"))
    arrivals.arrive(20, LARGE, destination_data_uri=arrivals.uri("a"))
    replaced = arrivals.files()
    arrivals.arrive(30, LARGE, data_id=20, destination_data_uri=arrivals.uri("b"))
    moved = arrivals.files()
    arrivals.arrive(40, LARGE)

    assert (replaced, moved) == ({"a": LARGE}, {"b": LARGE})
    assert arrivals.files() == {}


def test_the_file_goes_when_its_object_is_consumed_and_comes_back_with_an_update(arrivals: Arrivals) -> None:
    arrivals.arrive(10, SMALL, destination_data_uri=arrivals.uri())
    arrivals.consume()
    consumed = arrivals.files()

    arrivals.arrive(20, SMALL, data_id=10, destination_data_uri=arrivals.uri())

    assert consumed == {}
    assert arrivals.shown() == ("completelyReceived", 20)
    assert arrivals.files() == {"f": SMALL}


def test_the_file_stays_until_the_last_consumer(arrivals: Arrivals) -> None:
    arrivals.arrive(10, SMALL, destination_data_uri=arrivals.uri(), consumers=2)
    arrivals.consume()
    after_one = arrivals.files()
    arrivals.consume()

    assert after_one == {"f": SMALL}
    assert arrivals.files() == {}


def test_the_file_goes_when_its_object_is_deleted(arrivals: Arrivals) -> None:
    arrivals.arrive(10, SMALL, destination_data_uri=arrivals.uri())
    meta = Metadata(object_id="o1", object_type="model", instance_id=10, destination_data_uri=arrivals.uri())

    arrivals.edge.database.write(lambda uow: arrivals.edge.receiver.deletion_arrived(uow, key(), meta, CLOUD))
    arrivals.data_files.turn()

    assert arrivals.files() == {}


def test_a_file_is_not_forgotten_by_a_restart(arrivals: Arrivals) -> None:
    arrivals.arrive(10, SMALL, destination_data_uri=arrivals.uri())
    arrivals.data_files = arrivals.restarted_files()
    arrivals.data_files.turn()
    kept = arrivals.files()

    arrivals.consume()
    arrivals.data_files = arrivals.restarted_files()

    assert kept == {"f": SMALL}
    assert arrivals.files() == {}
    assert arrivals.data_files.turn() is None, "nothing is left to look after"


def test_a_crash_between_the_file_and_the_object_is_repeated_or_cleaned_up(arrivals: Arrivals) -> None:
    arrivals.announce(10, len(SMALL), destination_data_uri=arrivals.uri())
    reception = arrivals.edge.database.read(lambda uow: uow.receptions.find(key()))
    assert reception is not None
    arrivals.data_files.deliver(reception, [SMALL])
    arrivals.data_files = arrivals.restarted_files()

    arrivals.data_files.turn()
    still_coming = arrivals.files()
    arrivals.announce(20, 0, no_data=True)
    arrivals.data_files.turn()

    assert still_coming == {"f": SMALL}
    assert arrivals.files() == {}
