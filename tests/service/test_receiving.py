"""What arrives from the cloud is applied once, whole, and never goes back."""

from __future__ import annotations

from random import random

import pytest

from common.domain.errors import Ignored, InvalidRequest, ProtocolViolation
from common.domain.ids import cloud_of
from common.domain.metadata import Metadata
from common.domain.objects import ObjectStatus, Payload
from common.domain.reception import Answer
from common.sync.receiver import Receiver
from ess.workers.resend import want
from tests.support.sides import ORG, Side, key, node

CLOUD = cloud_of(ORG)


def announced(instance: int, size: int = 5, **members: object) -> Metadata:
    values = {"data_id": instance, "object_size": size, **members}
    return Metadata(
        object_id="o1",
        object_type="model",
        destination_org_id=ORG,
        instance_id=instance,
        **values,  # type: ignore[arg-type]
    )


def update(edge: Side, meta: Metadata) -> None:
    edge.database.write(lambda uow: edge.receiver.update_arrived(uow, key(), meta, CLOUD))


def complete(edge: Side, instance: int, name: str = "p") -> None:
    payload = Payload(f"{name}{instance}", 5, "00", is_small=False)
    edge.database.write(lambda uow: edge.receiver.data_complete(uow, key(), instance, payload))


def delete(edge: Side, instance: int) -> None:
    edge.database.write(lambda uow: edge.receiver.deletion_arrived(uow, key(), announced(instance), CLOUD))


def consume(edge: Side) -> None:
    edge.database.write(lambda uow: edge.receiver.consumed_by_application(uow, key()))


def owed(edge: Side) -> list[Answer]:
    edge.clock.advance(seconds=1)
    answers = edge.database.write(lambda uow: edge.receiver.claim_answers(uow, CLOUD, limit=10))
    return [each.answer for each in answers]


def acknowledge(edge: Side, instance: int, answer: Answer) -> None:
    edge.database.write(lambda uow: edge.receiver.answer_acknowledged(uow, key(), CLOUD, instance, answer))


def shown(edge: Side) -> tuple[str, int] | None:
    item = edge.find()
    return (item.status.value, item.instance) if item else None


def test_an_object_is_visible_once_it_is_whole(edge: Side) -> None:
    update(edge, announced(10))
    before = shown(edge)
    complete(edge, 10)

    assert before == ("partiallyreceived", 10)
    assert shown(edge) == ("completelyReceived", 10)
    assert owed(edge) == [Answer.RECEIVED]


def test_the_previous_version_stays_until_the_new_one_is_whole(edge: Side) -> None:
    update(edge, announced(10))
    complete(edge, 10)

    update(edge, announced(20))
    meanwhile = shown(edge)
    complete(edge, 20)

    assert meanwhile == ("completelyReceived", 10)
    assert shown(edge) == ("completelyReceived", 20)


def test_a_node_never_goes_back_to_an_older_instance(edge: Side) -> None:
    update(edge, announced(20))
    complete(edge, 20)

    with pytest.raises(Ignored):
        update(edge, announced(10))
    with pytest.raises(Ignored):
        delete(edge, 10)

    assert shown(edge) == ("completelyReceived", 20)


def test_a_repeat_gets_the_same_answer_and_shows_nothing_again(edge: Side) -> None:
    update(edge, announced(10))
    complete(edge, 10)
    consume(edge)
    acknowledge(edge, 10, Answer.CONSUMED)

    update(edge, announced(10))

    assert shown(edge) is None
    assert owed(edge) == [Answer.CONSUMED]


def test_data_of_a_superseded_transfer_is_not_shown(edge: Side) -> None:
    update(edge, announced(10))
    update(edge, announced(20))

    with pytest.raises(Ignored):
        complete(edge, 10)

    assert shown(edge) == ("partiallyreceived", 20)


def test_consuming_the_old_version_while_the_new_one_comes_does_not_consume_that(edge: Side) -> None:
    update(edge, announced(10))
    complete(edge, 10)
    update(edge, announced(20))

    consume(edge)
    complete(edge, 20)

    assert shown(edge) == ("completelyReceived", 20)
    assert owed(edge) == [Answer.RECEIVED]


def test_an_object_is_used_up_by_the_last_of_its_consumers(edge: Side) -> None:
    update(edge, announced(10, consumers=2))
    complete(edge, 10)

    consume(edge)
    after_one = shown(edge)
    consume(edge)

    assert after_one == ("completelyReceived", 10)
    assert shown(edge) == (ObjectStatus.CONSUMED.value, 10)
    with pytest.raises(InvalidRequest):
        consume(edge)


def test_an_update_of_metadata_alone_fetches_nothing(edge: Side) -> None:
    update(edge, announced(10))
    complete(edge, 10)

    update(edge, announced(20, data_id=10, description="new words"))

    assert shown(edge) == ("completelyReceived", 20)
    assert owed(edge) == [Answer.RECEIVED]


def test_a_deletion_is_shown_until_applications_confirm_it(edge: Side) -> None:
    update(edge, announced(10))
    complete(edge, 10)

    delete(edge, 10)
    told = owed(edge)
    edge.database.write(lambda uow: edge.receiver.deletion_confirmed_by_application(uow, key()))

    assert told == [Answer.DELETION_ACKNOWLEDGED]
    assert shown(edge) is None
    assert owed(edge) == [Answer.DELETED]


def test_a_failed_transfer_is_reported_and_the_same_instance_is_welcome_again(edge: Side) -> None:
    update(edge, announced(10))

    edge.database.write(lambda uow: edge.receiver.data_failed(uow, key(), 10, "wrong digest"))
    told = owed(edge)
    update(edge, announced(10))
    complete(edge, 10)

    assert told == [Answer.FEEDBACK]
    assert shown(edge) == ("completelyReceived", 10)


def test_what_was_created_here_is_nobody_elses_to_change(edge: Side) -> None:
    edge.put()

    with pytest.raises(ProtocolViolation):
        update(edge, announced(2**62))
    with pytest.raises(ProtocolViolation):
        delete(edge, 2**62)


def test_an_empty_object_needs_no_transfer(edge: Side) -> None:
    update(edge, announced(10, size=0))

    assert shown(edge) == ("completelyReceived", 10)


def test_what_was_consumed_is_shown_again_when_everything_is_wanted_again(edge: Side) -> None:
    update(edge, announced(10))
    complete(edge, 10)
    consume(edge)
    acknowledge(edge, 10, Answer.CONSUMED)
    update(edge, announced(10))
    as_a_repeat = shown(edge)
    acknowledge(edge, 10, Answer.CONSUMED)

    edge.database.write(want)
    update(edge, announced(10))
    complete(edge, 10, name="again")

    assert as_a_repeat is None
    assert shown(edge) == ("completelyReceived", 10)


def test_what_the_cloud_does_not_know_to_be_consumed_is_not_shown_again(edge: Side) -> None:
    update(edge, announced(10))
    complete(edge, 10)
    consume(edge)

    edge.database.write(want)
    update(edge, announced(10))

    assert shown(edge) == ("objconsumed", 10)
    assert owed(edge) == [Answer.CONSUMED]


def test_an_update_overtaken_by_the_deletion_of_what_the_cloud_never_saw_is_ignored(cloud: Side) -> None:
    origin = node("n1")
    cloud.database.write(lambda uow: cloud.receiver.deletion_arrived(uow, key(), announced(6), origin))

    with pytest.raises(Ignored):
        cloud.database.write(lambda uow: cloud.receiver.update_arrived(uow, key(), announced(1), origin))

    assert shown(cloud) is None
    cloud.database.write(lambda uow: cloud.receiver.update_arrived(uow, key(), announced(7), origin))
    assert shown(cloud) == ("partiallyreceived", 7)


def test_data_that_comes_again_in_the_same_instance_is_not_written_where_the_first_copy_is_sealed(edge: Side) -> None:
    edge.receiver = Receiver(edge.local, edge.clock.now_ms, random)
    staged = []
    for _ in range(2):
        update(edge, announced(5))
        reception = edge.database.read(lambda uow: uow.receptions.find(key()))
        assert reception is not None
        staged.append(reception.staged)
        complete(edge, 5)
        delete(edge, 5)
        edge.database.write(lambda uow: edge.receiver.deletion_confirmed_by_application(uow, key()))

    first, second = staged
    assert first != second
