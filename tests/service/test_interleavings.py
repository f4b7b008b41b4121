"""Orders of events that are rare and legal: a crash between two steps, a message that waited, a publish that overtakes."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest

from common.domain.chunks import Range
from common.domain.delivery import OutboxMessage
from common.domain.ids import cloud_of
from common.domain.metadata import Metadata
from common.domain.objects import ObjectStatus
from common.domain.reception import Reception, ReceptionState
from common.protocol.messages import Action
from common.runtime.digests import RunningDigests
from common.sync import fan_out
from ess.workers.fetcher import Fetcher
from ess.workers.in_flight import InFlight
from ess.workers.uplink import Uplink
from tests.support.cloud_double import DATA, CloudDouble, in_flight, link_up
from tests.support.data_files import no_data_files
from tests.support.payloads import MemoryPayloadStore
from tests.support.sides import ORG, Side, key, node

CLOUD = cloud_of(ORG)


def uplink_of(edge: Side, client: CloudDouble, chunk_bytes: int = 1000) -> Uplink:
    store = MemoryPayloadStore()
    return Uplink(
        client,
        edge.database,
        edge.sender,
        store,
        CLOUD,
        link_up(),
        in_flight(),
        chunk_bytes,
        edge.clock.now_ms,
    )


def fetcher_of(edge: Side, client: CloudDouble, store: MemoryPayloadStore) -> Fetcher:
    return Fetcher(
        client,
        edge.database,
        edge.receiver,
        store,
        RunningDigests(),
        link_up(),
        in_flight(),
        small_bytes=10,
        data_files=no_data_files(edge.database),
    )


def announced(edge: Side) -> Reception:
    """An update of 200 bytes was taken in, and nothing of its data."""
    meta = Metadata(object_id="o1", object_type="model", instance_id=5, data_id=5, object_size=len(DATA))
    return edge.database.write(lambda uow: edge.receiver.update_arrived(uow, key(), meta, CLOUD))


def staged(edge: Side, store: MemoryPayloadStore, data: bytes) -> Reception:
    """All bytes are durable, and then the process ended."""
    reception = announced(edge)
    with store.writer(reception.staged) as writer:
        writer.write(0, data)
        writer.flush()
    return edge.database.write(lambda uow: edge.receiver.piece_is_durable(uow, key(), 5, 0, len(data)))


def test_a_node_that_is_addressed_again_is_not_told_of_a_deletion_under_its_new_instance(
    cloud: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.register(node("n1"), node("n2", "other"))
    cloud.put(data=b"v1")
    cloud.poll(node("n1"))
    cloud.put(data=b"v2", destination_type="other")
    monkeypatch.setattr(fan_out, "INLINE_FAN_OUT_NODES", 0)
    cloud.clock.advance(seconds=10)  # beyond what the count of nodes is remembered for
    newest = cloud.put(data=b"v3")

    before_its_page = cloud.poll(node("n1"))
    while cloud.database.write(lambda uow: cloud.fan_outs.resume(uow, 10)):
        pass
    afterwards = cloud.poll(node("n1"))

    assert before_its_page == []
    assert [(each.message, each.meta.instance_id) for each in afterwards] == [(OutboxMessage.UPDATE, newest.instance)]


def test_an_update_that_waited_behind_others_is_not_sent_after_the_deletion(
    edge: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    edge.put("first")
    edge.put("second")
    client = CloudDouble()
    uplink, other = uplink_of(edge, client), uplink_of(edge, CloudDouble())
    send = client.send

    def slowly(*arguments: object) -> Mapping[str, str]:
        """While the first object travels, the second one is deleted and another worker delivers that."""
        if not client.sent:
            edge.database.write(lambda uow: edge.publisher.delete(uow, key("second")))
            other.turn()
        return send(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(client, "send", slowly)

    uplink.turn()

    assert edge.find("second") is None
    assert (Action.UPDATE.value, "second") not in client.sent


def test_the_bytes_of_an_empty_object_are_sent_too(edge: Side) -> None:
    edge.put(data=b"")
    client = CloudDouble()

    uplink_of(edge, client).turn()

    assert client.spans == [Range(0, 0)]


def test_data_that_was_all_here_when_the_process_ended_is_verified_before_it_is_shown(edge: Side) -> None:
    store = MemoryPayloadStore()
    staged(edge, store, b"x" * len(DATA))
    client = CloudDouble()

    fetcher_of(edge, client, store).turn()

    visible = edge.find()
    assert client.asked == [Range(len(DATA) - 1, len(DATA))]
    assert visible is not None
    assert visible.status is ObjectStatus.RECEIVER_VERIFICATION_FAILED


def test_data_sealed_when_the_process_ended_is_shown_with_its_own_digest(edge: Side) -> None:
    store = MemoryPayloadStore()
    store.seal(staged(edge, store, DATA).staged, len(DATA))
    client = CloudDouble()

    fetcher_of(edge, client, store).turn()

    visible = edge.find()
    assert visible is not None
    assert visible.payload is not None
    assert (visible.status, visible.payload.digest) == (ObjectStatus.COMPLETELY_RECEIVED, client.digest)
    assert client.asked == []


def test_a_transfer_that_nobody_wants_any_more_keeps_no_worker_awake() -> None:
    now = 0.0
    transfers = InFlight(2, lambda: now, lambda: 0.5)
    transfers.postpone(key(), 5)
    now = 1_000.0

    assert transfers.seconds_to_next({key()}) == pytest.approx(0.1)
    assert transfers.seconds_to_next(set()) is None


def test_a_copy_removed_on_the_cloud_does_not_come_back_with_a_repeat(cloud: Side) -> None:
    meta = Metadata(object_id="o1", object_type="model", no_data=True, instance_id=5)
    cloud.database.write(lambda uow: cloud.receiver.update_arrived(uow, key(), meta, node("n1")))
    cloud.database.write(lambda uow: cloud.publisher.delete(uow, key()))

    repeated = cloud.database.write(lambda uow: cloud.receiver.update_arrived(uow, key(), meta, node("n1")))

    assert cloud.find() is None
    assert repeated.state is ReceptionState.CONSUMED


def test_removing_a_copy_leaves_the_version_that_is_on_its_way(cloud: Side) -> None:
    first = Metadata(object_id="o1", object_type="model", no_data=True, instance_id=5)
    second = msgspec.structs.replace(first, no_data=False, instance_id=6, data_id=6, object_size=10)
    for meta in (first, second):
        cloud.database.write(lambda uow, meta=meta: cloud.receiver.update_arrived(uow, key(), meta, node("n1")))  # type: ignore[misc]

    cloud.database.write(lambda uow: cloud.publisher.delete(uow, key()))

    visible = cloud.find()
    assert visible is not None
    assert (visible.instance, visible.status) == (6, ObjectStatus.PARTIALLY_RECEIVED)
