"""What use cases of two replicas do to each other when they meet half-way."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from common.domain.chunks import Coverage
from common.domain.ids import NodeKey
from common.domain.instants import format_instant
from common.domain.metadata import Metadata
from common.domain.objects import Payload
from common.domain.publishing import LocalNode
from common.sync import fan_out
from common.sync.ports import Database, UnitOfWork
from common.sync.records import Upload
from common.sync.uploads import Uploads
from tests.contract.test_stores_concurrency import Beside, Paused, parallel
from tests.support.manual_clock import NOW_MS, ManualClock
from tests.support.sides import Side, key, node

pytestmark = parallel

N1, N2 = node("n1"), node("n2")
PAST, FUTURE = format_instant(NOW_MS - 60_000), format_instant(NOW_MS + 3_600_000)
EMPTY_BODY = Payload("p" * 64, 0, "0" * 64, is_small=False)


@pytest.fixture
def cloud(open_database: Callable[[], Database], clock: ManualClock) -> Side:
    side = Side(LocalNode(), clock)
    side.database = open_database()  # type: ignore[assignment]
    return side


@pytest.fixture
def replica(cloud: Side, open_database: Callable[[], Database]) -> Database:
    """Of the cloud."""
    return open_database()


class Counted:
    """How often a use case ran: more than once when it was in a deadlock."""

    def __init__(self, work: Callable[[UnitOfWork], object]) -> None:
        self._work = work
        self.runs = 0

    def __call__(self, uow: UnitOfWork) -> object:
        self.runs += 1
        return self._work(uow)


def deliveries(cloud: Side, to: NodeKey) -> set[str]:
    return {d.object.id for d in cloud.database.read(lambda uow: uow.deliveries.list_of_node(to))}


def test_a_node_that_leaves_while_a_page_opens_deliveries_keeps_none(
    cloud: Side, replica: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fan_out, "INLINE_FAN_OUT_NODES", 0)
    cloud.register(N1, N2)
    cloud.put()

    page = Paused(cloud.database, lambda uow: cloud.fan_outs.resume(uow, 100))
    leaving = Beside(replica, lambda uow: cloud.registration.unregister(uow, N1))
    assert leaving.is_waiting()
    page.resume()
    leaving.result()

    assert (deliveries(cloud, N1), deliveries(cloud, N2)) == (set(), {"o1"})


def test_a_node_that_comes_back_while_it_is_removed_has_to_register_as_new(cloud: Side, replica: Database) -> None:
    cloud.register(N1)

    leaving = Paused(cloud.database, lambda uow: cloud.registration.unregister(uow, N1))
    returning = Beside(
        replica,
        lambda uow: cloud.registration.register(uow, N1, is_persistent=True, capabilities=frozenset()),
    )
    assert returning.is_waiting()
    leaving.resume()

    assert returning.result() is False
    assert cloud.database.read(lambda uow: uow.nodes.find(N1)) is None


def test_a_version_without_expiration_published_just_in_time_stays(cloud: Side, replica: Database) -> None:
    cloud.put("o1", expiration=PAST)

    publishing = Paused(cloud.database, lambda uow: cloud.publisher.put_many(uow, [cloud.command("o1")]))
    expire = Beside(replica, lambda uow: cloud.lifecycle.expire_due(uow, 10))
    assert expire.is_waiting()
    publishing.resume()

    assert expire.result() == 0
    assert cloud.find("o1") is not None


def test_a_version_to_be_activated_later_waits_although_the_one_before_was_due(cloud: Side, replica: Database) -> None:
    cloud.put("o1", inactive=True, activation_time=PAST)
    later = cloud.command("o1", inactive=True, activation_time=FUTURE)

    publishing = Paused(cloud.database, lambda uow: cloud.publisher.put_many(uow, [later]))
    activate = Beside(replica, lambda uow: cloud.lifecycle.activate_due(uow, 10))
    assert activate.is_waiting()
    publishing.resume()

    assert activate.result() == 0
    item = cloud.find("o1")
    assert item is not None
    assert item.meta.inactive


def test_a_node_that_registers_while_an_object_expires_gets_no_delivery_of_it(cloud: Side, replica: Database) -> None:
    cloud.put("o1", expiration=PAST)

    expire = Paused(cloud.database, lambda uow: cloud.lifecycle.expire_due(uow, 10))
    registering = Beside(
        replica,
        lambda uow: cloud.registration.register_new(uow, N1, is_persistent=True, capabilities=frozenset()),
    )
    assert registering.is_waiting()
    expire.resume()
    registering.result()

    assert deliveries(cloud, N1) == set()


def test_expiring_and_publishing_several_objects_take_them_in_one_order(cloud: Side, replica: Database) -> None:
    cloud.put("a", expiration=format_instant(NOW_MS - 1_000))
    cloud.put("b", expiration=PAST)
    first = Counted(lambda uow: uow.objects.find(key("a"), lock=True))
    expire = Counted(lambda uow: cloud.lifecycle.expire_due(uow, 10))

    other = Paused(cloud.database, first, lambda uow: uow.objects.find(key("b"), lock=True))
    expiration = Beside(replica, expire)
    assert expiration.is_waiting()
    other.resume()

    assert (expiration.result(), first.runs, expire.runs) == (2, 1, 1)


def test_an_upload_is_completed_without_a_deadlock_with_who_changes_the_organization(
    cloud: Side, replica: Database
) -> None:
    cloud.put("o1")
    upload = Upload(key("o1"), EMPTY_BODY.name, 0, 0, Coverage(), NOW_MS)
    cloud.database.write(lambda uow: uow.uploads.save(upload))
    uploads = Uploads(cloud.publisher, cloud.clock.now_ms, lambda: "token")
    complete = Counted(lambda uow: uploads.complete(uow, upload, EMPTY_BODY))
    lock = Counted(lambda uow: uow.nodes.lock_org(key().org))

    review = Paused(cloud.database, lock, lambda uow: uow.objects.find(key("o1"), lock=True))
    completion = Beside(replica, complete)
    assert completion.is_waiting()
    review.resume()
    completion.result()

    assert (lock.runs, complete.runs) == (1, 1)


def test_data_arrives_without_a_deadlock_with_the_next_announcement(cloud: Side, replica: Database) -> None:
    meta = Metadata(object_id="o1", object_type="model", object_size=3, instance_id=5, data_id=5)
    cloud.database.write(lambda uow: cloud.receiver.update_arrived(uow, key("o1"), meta, N1))
    payload = Payload("q" * 64, 3, "0" * 64, is_small=True)
    arrive = Counted(lambda uow: cloud.receiver.data_complete(uow, key("o1"), 5, payload, b"abc"))
    lock = Counted(lambda uow: uow.objects.find(key("o1"), lock=True))

    announcement = Paused(cloud.database, lock, lambda uow: uow.receptions.find(key("o1"), lock=True))
    arrival = Beside(replica, arrive)
    assert arrival.is_waiting()
    announcement.resume()
    arrival.result()

    assert (lock.runs, arrive.runs) == (1, 1)
