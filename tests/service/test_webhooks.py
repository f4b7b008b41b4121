"""What webhooks are told, in which order, and what becomes of calls that fail."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count

import pytest

from common.domain.errors import InvalidRequest, NotFound
from common.domain.ids import NodeKey, ObjectKey, cloud_of
from common.domain.metadata import Metadata
from common.domain.objects import Payload
from common.domain.webhooks import MAX_WEBHOOKS_OF_TYPE, Attempt, Outcome, WebhookFormat
from common.runtime.webhook_dispatch import WebhookDispatcher
from common.sync import wakeups
from common.sync.webhook_ports import DeadLetter, QueueReport
from common.sync.webhooks import Registration, WebhookCalls, Webhooks
from tests.support.sides import ORG, Side, key

CLOUD = cloud_of(ORG)
HOOK = "http://hook.example/a"
OTHER_HOOK = "http://hook.example/b"
GIVE_UP_MS = 24 * 3600 * 1000
OK = Outcome(204)
DOWN = Outcome(None, "The receiver cannot be reached: Connection refused.")

Answer = Callable[[Attempt], Outcome]

_tokens = count(1)


class Receivers:
    """Applications behind webhooks: they answer as told and remember what they were told, by URL."""

    def __init__(self, side: Side) -> None:
        self._side = side
        self.answers: dict[str, Answer] = {}
        self.heard: list[tuple[str, str, int]] = []
        self.tried = 0

    def call(self, attempt: Attempt) -> Outcome:
        self.tried += 1
        answer = self.answers.get(attempt.webhook.url)
        outcome = answer(attempt) if answer else OK
        if outcome.is_success:
            told = json.loads(attempt.event.body)
            self.heard.append((attempt.webhook.url, attempt.event.object.id, told.get("instanceID")))
        return outcome

    def instances(self, url: str = HOOK, name: str = "o1") -> list[int]:
        return [instance for heard_url, heard_name, instance in self.heard if (heard_url, heard_name) == (url, name)]


class Bench:
    """An edge with a dispatcher that makes its calls within the turn."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.receivers = Receivers(side)
        self.webhooks = Webhooks(side.clock.now_ms)
        self.restart()

    def restart(self) -> None:
        """Forget everything that is not stored."""
        calls = WebhookCalls(self.side.clock.now_ms, lambda: 0.5, lease_ms=15_000, give_up_after_ms=GIVE_UP_MS)
        self.turns_asked_for = 0

        def wake() -> None:
            self.turns_asked_for += 1

        self.dispatcher = WebhookDispatcher(
            self.side.database, calls, lambda: self.receivers, self.side.clock, wake, start=lambda work: work()
        )

    def register(self, url: str = HOOK, **options: object) -> None:
        wanted = Registration(ORG, "model", url, **options)  # type: ignore[arg-type]
        self.side.database.write(lambda uow: self.webhooks.register(uow, wanted))

    def arrive(self, instance: int, name: str = "o1", size: int = 5, **members: object) -> None:
        """An object of the cloud, whole."""
        receive(self.side, key(name), instance, CLOUD, size, **members)

    def pass_time(self, *, hours: float) -> None:
        """Turns run when they are due."""
        end_ms = self.side.clock.now_ms() + hours * 3_600_000
        while self.side.clock.now_ms() < end_ms:
            pause_seconds = self.dispatcher.turn()
            self.side.clock.advance(seconds=max(pause_seconds, 0.001))
        self.drain()

    def drain(self) -> None:
        """Turns as long as they achieve something."""
        tried = -1
        while tried != self.receivers.tried:
            tried = self.receivers.tried
            self.dispatcher.turn()

    def report(self, url: str = HOOK) -> QueueReport:
        reports = self.side.database.read(lambda uow: uow.webhooks.report_of_org(ORG))
        return next(report for report in reports if report.webhook.url == url)

    def dead(self) -> list[DeadLetter]:
        return self.side.database.read(lambda uow: uow.webhook_queue.list_dead(ORG, 0, 100))


def receive(side: Side, object_key: ObjectKey, instance: int, origin: NodeKey, size: int, **members: object) -> None:
    meta = Metadata(
        object_id=object_key.id,
        object_type=object_key.type,
        destination_org_id=object_key.org,
        instance_id=instance,
        **{"data_id": instance, "object_size": size, **members},  # type: ignore[arg-type]
    )
    reception = side.database.write(lambda uow: side.receiver.update_arrived(uow, object_key, meta, origin))
    if reception.staged:
        payload = Payload(f"p{next(_tokens)}", size, "00", is_small=False)
        side.database.write(lambda uow: side.receiver.data_complete(uow, object_key, instance, payload))


@pytest.fixture
def bench(edge: Side) -> Bench:
    return Bench(edge)


def test_a_webhook_is_told_the_metadata_of_an_object_whose_data_arrived(bench: Bench) -> None:
    bench.register()
    told: list[dict[str, object]] = []

    def listen(attempt: Attempt) -> Outcome:
        told.append(json.loads(attempt.event.body))
        return OK

    bench.receivers.answers[HOOK] = listen
    bench.arrive(7, version="4", description="\0 <\N{SNOWMAN}>")
    assert wakeups.WEBHOOKS in bench.side.woken
    bench.drain()

    shown = bench.side.find()
    assert shown is not None
    (meta,) = told
    assert (meta["objectID"], meta["version"], meta["instanceID"], meta["deleted"]) == ("o1", "4", 7, False)
    assert meta["description"] == shown.meta.description
    assert len(meta) == 32
    assert bench.report().queued == 0


@pytest.mark.parametrize("members", [{"no_data": True}, {"link": "http://elsewhere/"}, {"size": 0}])
def test_nobody_is_called_for_an_object_without_data(bench: Bench, members: dict[str, object]) -> None:
    bench.register()
    bench.arrive(1, **members)  # type: ignore[arg-type]
    assert bench.report().queued == 0


def test_nobody_is_called_for_new_metadata_of_data_that_is_here(bench: Bench) -> None:
    bench.register()
    bench.arrive(1)
    bench.arrive(2, data_id=1, meta_only=True)
    bench.drain()
    assert bench.receivers.instances() == [1]


def test_nobody_is_called_for_a_deletion(bench: Bench) -> None:
    bench.register()
    bench.arrive(1)
    bench.drain()
    gone = Metadata(object_id="o1", object_type="model", destination_org_id=ORG, instance_id=2, deleted=True)
    bench.side.database.write(lambda uow: bench.side.receiver.deletion_arrived(uow, key(), gone, CLOUD))
    bench.drain()
    assert bench.receivers.instances() == [1]


def test_a_cloud_event_carries_the_metadata_as_its_data(bench: Bench) -> None:
    bench.register(format=WebhookFormat.CLOUDEVENTS)
    bodies: list[str] = []

    def listen(attempt: Attempt) -> Outcome:
        bodies.append(attempt.event.body)
        return OK

    bench.receivers.answers[HOOK] = listen
    bench.arrive(1, "a|b")
    bench.drain()

    event = json.loads(bodies[0])
    assert (event["specversion"], event["type"], event["datacontenttype"]) == (
        "1.0",
        "edgesync.object.received",
        "application/json",
    )
    assert (event["source"], event["subject"]) == (f"/{ORG}/edge/n1", "model/a%7Cb")
    assert event["time"] == "2026-01-01T00:00:00Z"
    assert event["data"]["objectID"] == "a|b"


def test_what_is_told_is_what_was_so_when_it_arrived(bench: Bench) -> None:
    bench.register()
    bench.receivers.answers[HOOK] = lambda _: DOWN
    bench.arrive(1)
    bench.drain()
    bench.arrive(2)
    del bench.receivers.answers[HOOK]
    bench.pass_time(hours=1)
    assert bench.receivers.instances() == [1, 2]


def test_a_receiver_that_was_down_for_an_hour_hears_everything_in_order(bench: Bench) -> None:
    bench.register()
    bench.register(OTHER_HOOK)
    bench.receivers.answers[HOOK] = lambda _: DOWN
    for instance in range(1, 6):
        bench.arrive(instance)
        bench.arrive(instance + 100, "o2")
        bench.pass_time(hours=0.2)
        assert bench.receivers.instances(OTHER_HOOK)[-1] == instance

    assert bench.report().queued == 10
    assert bench.report().last_error == DOWN.reason
    del bench.receivers.answers[HOOK]
    bench.pass_time(hours=0.5)

    assert bench.receivers.instances() == [1, 2, 3, 4, 5]
    assert bench.receivers.instances(name="o2") == [101, 102, 103, 104, 105]
    assert bench.report().queued == 0


def test_pauses_grow_and_stay_below_a_quarter_of_an_hour(bench: Bench) -> None:
    bench.register()
    bench.receivers.answers[HOOK] = lambda _: DOWN
    bench.arrive(1)
    bench.pass_time(hours=0.25)
    first = bench.receivers.tried
    bench.pass_time(hours=5)

    assert 8 <= first <= 14
    assert 30 <= bench.receivers.tried - first <= 60


def test_an_object_a_receiver_cannot_stand_holds_up_no_other(bench: Bench) -> None:
    bench.register()
    broken = Outcome(500, "The receiver answered 500.")
    bench.receivers.answers[HOOK] = lambda a: broken if a.event.object.id == "bad" else OK
    for instance in (1, 2, 3):
        bench.arrive(instance, "bad")
        bench.arrive(instance, "good")
        bench.drain()

    assert bench.receivers.instances(name="good") == [1, 2, 3]
    assert bench.report().queued == 3


def test_what_waits_for_a_receiver_goes_at_once_when_it_is_back(bench: Bench) -> None:
    bench.register()
    bench.receivers.answers[HOOK] = lambda _: DOWN
    bench.arrive(1, "early")
    bench.pass_time(hours=2)
    bench.arrive(1, "late")
    bench.drain()
    bench.side.clock.advance(seconds=1)
    del bench.receivers.answers[HOOK]
    bench.drain()

    assert {name for _, name, _ in bench.receivers.heard} == {"early", "late"}


def test_every_call_that_ends_brings_another_turn(bench: Bench) -> None:
    bench.register()
    bench.arrive(1)
    bench.arrive(1, "o2")

    bench.drain()

    assert bench.turns_asked_for == 2


def test_an_event_that_fails_for_a_day_becomes_a_dead_letter_and_makes_room(bench: Bench) -> None:
    bench.register()
    bench.receivers.answers[HOOK] = lambda a: (
        OK if a.event.instance == 2 else Outcome(503, "The receiver answered 503.")
    )
    bench.arrive(1)
    bench.pass_time(hours=1)
    bench.arrive(2)
    bench.pass_time(hours=22)
    assert bench.dead() == []

    bench.pass_time(hours=2)

    (letter,) = bench.dead()
    assert (letter.event.instance, letter.reason) == (1, "The receiver answered 503.")
    assert bench.receivers.instances() == [2]
    assert (bench.report().queued, bench.report().dead) == (0, 1)


def test_an_event_is_tried_once_however_long_it_waited_behind_another(bench: Bench) -> None:
    bench.register()
    bench.receivers.answers[HOOK] = lambda a: OK if a.event.instance == 2 else DOWN
    bench.arrive(1)
    bench.arrive(2)
    bench.side.clock.advance(seconds=3 * 24 * 3600)
    bench.drain()

    assert [letter.event.instance for letter in bench.dead()] == [1]
    assert bench.receivers.instances() == [2]


def test_a_receiver_that_is_gone_for_good_is_not_asked_again(bench: Bench) -> None:
    bench.register()
    bench.receivers.answers[HOOK] = lambda _: Outcome(410, "The receiver answered 410.")
    bench.arrive(1)
    bench.pass_time(hours=1)

    assert bench.receivers.tried == 1
    assert bench.report().dead == 1


def test_a_dead_letter_can_be_sent_again(bench: Bench) -> None:
    bench.register()
    bench.receivers.answers[HOOK] = lambda _: Outcome(410, "The receiver answered 410.")
    bench.arrive(1)
    bench.arrive(2)
    bench.drain()
    del bench.receivers.answers[HOOK]
    first, second = bench.dead()

    bench.side.database.write(lambda uow: bench.webhooks.replay(uow, ORG, second.event.id))
    bench.drain()
    assert bench.receivers.instances() == [2]
    assert bench.side.database.write(lambda uow: bench.webhooks.replay_page(uow, ORG, 0)) is None
    bench.drain()
    assert bench.receivers.instances() == [2, 1]
    assert bench.dead() == []
    with pytest.raises(NotFound):
        bench.side.database.write(lambda uow: bench.webhooks.replay(uow, ORG, first.event.id))


def test_a_dead_letter_can_be_forgotten_once(bench: Bench) -> None:
    bench.register()
    bench.receivers.answers[HOOK] = lambda _: Outcome(410, "The receiver answered 410.")
    bench.arrive(1)
    bench.drain()
    (letter,) = bench.dead()

    bench.side.database.write(lambda uow: bench.webhooks.forget_dead(uow, ORG, letter.event.id))

    assert bench.dead() == []
    with pytest.raises(NotFound):
        bench.side.database.write(lambda uow: bench.webhooks.forget_dead(uow, ORG, letter.event.id))


def test_a_call_that_a_crash_cut_off_is_repeated_and_nothing_overtakes_it(bench: Bench) -> None:
    bench.register()

    def crash(_: Attempt) -> Outcome:
        raise SystemExit

    bench.receivers.answers[HOOK] = crash
    bench.arrive(1)
    bench.arrive(2)
    with pytest.raises(SystemExit):
        bench.dispatcher.turn()
    del bench.receivers.answers[HOOK]
    bench.restart()
    bench.drain()
    assert bench.receivers.instances() == []

    bench.side.clock.advance(seconds=15)
    bench.drain()

    assert bench.receivers.instances() == [1, 2]


def test_an_outcome_that_comes_too_late_changes_nothing(bench: Bench) -> None:
    bench.register()
    bench.arrive(1)
    calls = WebhookCalls(bench.side.clock.now_ms, lambda: 0.5, lease_ms=15_000, give_up_after_ms=GIVE_UP_MS)
    (webhook_id, _), *_ = bench.side.database.read(lambda uow: uow.webhook_queue.first_due())
    (late,) = bench.side.database.write(lambda uow: calls.claim(uow, webhook_id, 10))
    bench.side.clock.advance(seconds=15)
    (current,) = bench.side.database.write(lambda uow: calls.claim(uow, webhook_id, 10))

    assert bench.side.database.write(lambda uow: calls.settle(uow, late, OK)) is None

    assert bench.report().queued == 1
    bench.side.database.write(lambda uow: calls.settle(uow, current, OK))
    assert bench.report().queued == 0


def test_a_clock_that_jumps_neither_loses_nor_stops_anything(bench: Bench) -> None:
    bench.register()
    bench.receivers.answers[HOOK] = lambda _: DOWN
    bench.arrive(1)
    bench.pass_time(hours=1)
    bench.side.clock.set_wall(bench.side.clock.now_ms() - 10 * 365 * 24 * 3600 * 1000)
    del bench.receivers.answers[HOOK]
    bench.drain()

    assert bench.receivers.instances() == [1]


def test_removing_a_webhook_drops_what_is_queued_for_it(bench: Bench) -> None:
    bench.register()
    bench.register(OTHER_HOOK)
    bench.receivers.answers = {HOOK: lambda _: DOWN, OTHER_HOOK: lambda _: DOWN}
    bench.arrive(1)
    bench.drain()

    bench.side.database.write(lambda uow: bench.webhooks.unregister(uow, ORG, "model", HOOK.upper()))
    bench.receivers.answers.clear()
    bench.pass_time(hours=1)

    assert bench.receivers.instances() == []
    assert bench.receivers.instances(OTHER_HOOK) == [1]


def test_registering_again_keeps_the_secret_unless_a_new_one_comes(bench: Bench) -> None:
    bench.register(secret="first", format=WebhookFormat.CLOUDEVENTS)
    bench.register()
    assert (bench.report().webhook.secret, bench.report().webhook.format) == ("first", WebhookFormat.CLOUDEVENTS)
    bench.register(secret="", format=WebhookFormat.EDGESYNC)
    assert (bench.report().webhook.secret, bench.report().webhook.format) == ("", WebhookFormat.EDGESYNC)


def test_a_type_has_a_bounded_number_of_webhooks(bench: Bench) -> None:
    for number in range(MAX_WEBHOOKS_OF_TYPE):
        bench.register(f"http://hook.example/{number}")
    bench.register("http://hook.example/0")
    with pytest.raises(InvalidRequest):
        bench.register("http://hook.example/one-more")


def test_neither_secret_nor_password_shows_in_what_may_be_logged(bench: Bench) -> None:
    seen: list[str] = []

    def listen(attempt: Attempt) -> Outcome:
        seen.append(repr(attempt))
        return OK

    url = "http://user:pa55@hook.example/"
    bench.register(url, secret="s3cret")
    bench.receivers.answers[url] = listen
    bench.arrive(1)
    bench.drain()

    assert "hook.example" in seen[0]
    assert "s3cret" not in seen[0]
    assert "pa55" not in seen[0]
    assert "pa55" not in repr(Registration(ORG, "model", "http://user:pa55@h/", secret="s3cret"))
