"""What an edge makes of a cloud that finds its data not to be what was signed."""

from __future__ import annotations

from collections.abc import Iterable

from common.domain.chunks import Range
from common.domain.delivery import DeliveryState
from common.domain.errors import VerificationFailed
from common.domain.ids import ObjectKey, cloud_of
from common.domain.objects import Payload
from ess.workers.uplink import Uplink
from tests.support.cloud_double import CloudDouble, in_flight, link_up
from tests.support.payloads import MemoryPayloadStore
from tests.support.sides import ORG, Side, key

CLOUD = cloud_of(ORG)


class DistrustfulCloud(CloudDouble):
    def upload(
        self, key: ObjectKey, instance: int, data_id: int, body: Iterable[bytes], span: Range, payload: Payload
    ) -> None:
        super().upload(key, instance, data_id, body, span, payload)
        raise VerificationFailed("The cloud answered 422.")


def test_the_delivery_ends_in_an_error_and_is_tried_again_later(edge: Side) -> None:
    edge.put()
    edge.put("other", data=None, no_data=True)
    cloud = DistrustfulCloud()
    uplink = Uplink(
        cloud, edge.database, edge.sender, MemoryPayloadStore(), CLOUD, link_up(), in_flight(), 1000, edge.clock.now_ms
    )

    uplink.turn()
    failed = edge.database.read(lambda uow: uow.deliveries.find_many([(key(), CLOUD)]))[key(), CLOUD]
    sent_at_once = len(cloud.spans)
    edge.clock.advance(seconds=60)
    uplink.turn()

    assert (failed.state, failed.message) == (DeliveryState.FAILED, "The cloud answered 422.")
    assert ("update", "other") in cloud.sent, "one refused object is in nobody's way"
    assert (sent_at_once, len(cloud.spans)) == (1, 2)
