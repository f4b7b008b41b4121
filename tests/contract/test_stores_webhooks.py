"""What every store of webhooks promises: registrations, lines in order, leases, dead letters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from common.domain.ids import ObjectKey
from common.domain.webhooks import CALL_RETRY, Attempt, Webhook, WebhookEvent, WebhookFormat
from common.sync.ports import Database, UnitOfWork
from tests.support.builders import INSTANCE, ORG, object_key
from tests.support.manual_clock import NOW_MS

LEASE_MS = 15_000
URL = "https://hook.example/a"


def a_webhook(webhook_id: int = 1, url: str = URL, **fields: object) -> Webhook:
    values = {
        "org": ORG,
        "object_type": "model",
        "format": WebhookFormat.EDGESYNC,
        "secret": "",
        "created_at_ms": NOW_MS,
        **fields,
    }
    return Webhook(id=webhook_id, url=url, **values)  # type: ignore[arg-type]


def an_event(
    event_id: int, key: ObjectKey | str = "o1", webhook_id: int = 1, queued_at_ms: int = NOW_MS
) -> WebhookEvent:
    key = key if isinstance(key, ObjectKey) else object_key(key)
    return WebhookEvent(event_id, webhook_id, key, INSTANCE + event_id, f'{{"n":{event_id}}}', queued_at_ms)


def register(database: Database, *webhooks: Webhook) -> None:
    def save(uow: UnitOfWork) -> None:
        for each in webhooks:
            uow.webhooks.save(each)

    database.write(save)


def add(database: Database, *events: WebhookEvent, now_ms: int = NOW_MS) -> None:
    for event in events:
        database.write(lambda uow, event=event: uow.webhook_queue.add_many([event], now_ms))  # type: ignore[misc]


def claim(database: Database, *, at_ms: int = NOW_MS, webhook_id: int = 1, limit: int = 10) -> list[Attempt]:
    return database.write(lambda uow: uow.webhook_queue.claim(webhook_id, at_ms, at_ms + LEASE_MS, limit))


def ids(attempts: list[Attempt]) -> list[int]:
    return sorted(attempt.event.id for attempt in attempts)


def first_due(database: Database) -> dict[int, int]:
    return dict(database.read(lambda uow: uow.webhook_queue.first_due()))


def is_current(database: Database, attempt: Attempt) -> bool:
    return database.write(lambda uow: uow.webhook_queue.is_current(attempt))


def done(database: Database, attempt: Attempt, at_ms: int = NOW_MS) -> None:
    database.write(lambda uow: uow.webhook_queue.done(attempt, at_ms))


def bury(database: Database, attempt: Attempt, reason: str = "It is gone.", at_ms: int = NOW_MS) -> None:
    database.write(lambda uow: uow.webhook_queue.bury(attempt, reason, at_ms))


def dead(database: Database, after: int = 0, limit: int = 10, org: str = ORG) -> list[int]:
    return [each.event.id for each in database.read(lambda uow: uow.webhook_queue.list_dead(org, after, limit))]


def test_a_registration_is_found_by_its_type_as_it_was_saved(database: Database) -> None:
    webhook = a_webhook(secret="s3cret", format=WebhookFormat.CLOUDEVENTS)
    register(database, webhook, a_webhook(2, object_type="other"), a_webhook(3, org="elsewhere"))

    assert database.read(lambda uow: uow.webhooks.list_of_type(ORG, "model")) == [webhook]
    assert database.read(lambda uow: uow.webhooks.list_of_type(ORG, "none")) == []


def test_registering_a_url_again_renews_its_secret_and_keeps_its_identity(database: Database) -> None:
    register(database, a_webhook(1, secret="old"), a_webhook(2, secret="new", format=WebhookFormat.CLOUDEVENTS))

    (found,) = database.read(lambda uow: uow.webhooks.list_of_type(ORG, "model"))
    assert (found.id, found.secret, found.format) == (1, "new", WebhookFormat.CLOUDEVENTS)


def test_events_of_one_object_are_called_in_order_one_at_a_time(database: Database) -> None:
    register(database, a_webhook())
    add(database, an_event(30), an_event(10), an_event(20))

    called = []
    while attempts := claim(database):
        (attempt,) = attempts
        assert claim(database) == []
        called.append(attempt.event.id)
        done(database, attempt)

    assert called == [30, 10, 20]
    assert first_due(database) == {}


def test_events_of_one_line_can_be_added_together(database: Database) -> None:
    register(database, a_webhook())
    database.write(lambda uow: uow.webhook_queue.add_many([an_event(1), an_event(2)], NOW_MS))

    (first,) = claim(database)
    done(database, first)
    (second,) = claim(database)
    assert (first.event.id, second.event.id) == (1, 2)


def test_other_objects_and_other_webhooks_do_not_wait(database: Database) -> None:
    register(database, a_webhook(1), a_webhook(2, "http://b"))
    add(database, an_event(1, "a"), an_event(2, "a"), an_event(3, "b"), an_event(4, "a", webhook_id=2))

    assert ids(claim(database)) == [1, 3]
    assert ids(claim(database, webhook_id=2)) == [4]


def test_objects_of_the_same_id_and_another_type_have_lines_of_their_own(database: Database) -> None:
    register(database, a_webhook())
    add(database, an_event(1, ObjectKey(ORG, "model", "x")), an_event(2, ObjectKey(ORG, "other", "x")))

    assert ids(claim(database)) == [1, 2]


def test_a_claim_carries_everything_a_call_needs(database: Database) -> None:
    webhook = a_webhook(secret="s3cret")
    register(database, webhook)
    add(database, an_event(7))

    assert claim(database) == [Attempt(webhook, an_event(7), 1)]


def test_a_claim_is_bounded_and_takes_the_oldest_due_first(database: Database) -> None:
    register(database, a_webhook())
    add(database, an_event(1, "late"), now_ms=NOW_MS + 2)
    add(database, an_event(2, "early"), now_ms=NOW_MS)
    add(database, an_event(3, "middle"), now_ms=NOW_MS + 1)

    assert ids(claim(database, at_ms=NOW_MS + 5, limit=2)) == [2, 3]
    assert ids(claim(database, at_ms=NOW_MS + 5, limit=2)) == [1]


def test_a_claim_that_nobody_settles_is_repeated_when_its_lease_is_over(database: Database) -> None:
    register(database, a_webhook())
    add(database, an_event(1))
    (lost,) = claim(database)

    assert claim(database, at_ms=NOW_MS + LEASE_MS - 1) == []
    (second,) = claim(database, at_ms=NOW_MS + LEASE_MS)

    assert (second.event.id, second.number) == (1, 2)
    assert not is_current(database, lost)
    assert is_current(database, second)


def test_an_attempt_at_an_event_that_is_done_is_not_current(database: Database) -> None:
    register(database, a_webhook())
    add(database, an_event(1), an_event(2))
    (first,) = claim(database)
    (again,) = claim(database, at_ms=NOW_MS + LEASE_MS)
    done(database, again)
    (following,) = claim(database)

    assert following.number == first.number
    assert not is_current(database, first)
    assert is_current(database, following)


def test_a_postponed_event_waits_and_so_does_what_is_behind_it(database: Database) -> None:
    register(database, a_webhook())
    add(database, an_event(1), an_event(2))
    (attempt,) = claim(database)
    database.write(lambda uow: uow.webhook_queue.postpone(attempt, NOW_MS + 500))

    assert not is_current(database, attempt)
    assert first_due(database) == {1: NOW_MS + 500}
    assert claim(database, at_ms=NOW_MS + 499) == []
    (second,) = claim(database, at_ms=NOW_MS + 500)
    assert (second.event.id, second.number) == (1, 2)


def test_a_due_time_beyond_any_retry_was_set_by_a_wrong_clock(database: Database) -> None:
    register(database, a_webhook())
    add(database, an_event(1), now_ms=NOW_MS + CALL_RETRY.longest_ms + 1)

    assert ids(claim(database)) == [1]


def test_an_added_event_does_not_hurry_the_line_it_joins(database: Database) -> None:
    register(database, a_webhook())
    add(database, an_event(1))
    (attempt,) = claim(database)
    database.write(lambda uow: uow.webhook_queue.postpone(attempt, NOW_MS + 500))

    add(database, an_event(2), now_ms=NOW_MS + 100)

    assert first_due(database) == {1: NOW_MS + 500}


def test_hurrying_makes_what_waits_due_and_repeats_no_call_under_way(database: Database) -> None:
    register(database, a_webhook())
    add(database, an_event(1, "waits"), an_event(2, "called"))
    waiting, _ = sorted(claim(database), key=lambda attempt: attempt.event.id)
    database.write(lambda uow: uow.webhook_queue.postpone(waiting, NOW_MS + 60_000))

    database.write(lambda uow: uow.webhook_queue.hurry(1, NOW_MS + 10))

    assert ids(claim(database, at_ms=NOW_MS + 10)) == [1]


def test_the_first_due_time_is_told_for_each_webhook_that_has_a_line(database: Database) -> None:
    register(database, *[a_webhook(number, f"http://{number}") for number in (1, 2, 5)])
    add(database, an_event(1, "a", webhook_id=5), now_ms=NOW_MS + 3)
    add(database, an_event(2, "b", webhook_id=5), now_ms=NOW_MS + 2)
    add(database, an_event(3, "a", webhook_id=1), now_ms=NOW_MS + 9)

    assert first_due(database) == {5: NOW_MS + 2, 1: NOW_MS + 9}


def test_a_dead_letter_makes_room_for_what_is_behind_it(database: Database) -> None:
    register(database, a_webhook())
    add(database, an_event(1), an_event(2))
    (attempt,) = claim(database)

    bury(database, attempt, "The receiver answered 410.", NOW_MS + 1)

    assert ids(claim(database, at_ms=NOW_MS + 1)) == [2]
    (letter,) = database.read(lambda uow: uow.webhook_queue.list_dead(ORG, 0, 10))
    assert (letter.event, letter.webhook, letter.reason, letter.died_at_ms) == (
        an_event(1),
        a_webhook(),
        "The receiver answered 410.",
        NOW_MS + 1,
    )


def test_dead_letters_are_listed_page_by_page_within_their_organization(database: Database) -> None:
    register(database, a_webhook(1), a_webhook(2, org="elsewhere"))
    for number in (3, 1, 2):
        add(database, an_event(number, f"o{number}"))
    add(database, an_event(4, ObjectKey("elsewhere", "model", "o"), webhook_id=2))
    for attempt in claim(database) + claim(database, webhook_id=2):
        bury(database, attempt)

    assert dead(database, limit=2) == [1, 2]
    assert dead(database, after=2) == [3]
    assert dead(database, org="elsewhere") == [4]


def test_a_revived_letter_is_called_before_what_came_after_it(database: Database) -> None:
    register(database, a_webhook())
    add(database, an_event(1), an_event(2))
    bury(database, claim(database)[0])

    assert database.write(lambda uow: uow.webhook_queue.revive(ORG, 1, NOW_MS + 7))

    (attempt,) = claim(database, at_ms=NOW_MS + 7)
    assert attempt.event == replace(an_event(1), queued_at_ms=NOW_MS + 7)
    assert dead(database) == []
    done(database, attempt, NOW_MS + 7)
    assert ids(claim(database, at_ms=NOW_MS + 7)) == [2]


def test_reviving_does_not_repeat_a_call_under_way(database: Database) -> None:
    register(database, a_webhook())
    add(database, an_event(1), an_event(2))
    bury(database, claim(database)[0])
    (under_way,) = claim(database)

    database.write(lambda uow: uow.webhook_queue.revive(ORG, 1, NOW_MS))

    assert claim(database) == []
    assert is_current(database, under_way)
    done(database, under_way)
    assert ids(claim(database)) == [1]


def test_a_letter_alone_in_its_line_can_be_revived(database: Database) -> None:
    register(database, a_webhook())
    add(database, an_event(1))
    bury(database, claim(database)[0])
    assert first_due(database) == {}

    database.write(lambda uow: uow.webhook_queue.revive(ORG, 1, NOW_MS + 7))

    assert first_due(database) == {1: NOW_MS + 7}


@pytest.mark.parametrize(("org", "event_id"), [(ORG, 2), (ORG, 99), ("elsewhere", 1)])
def test_only_dead_letters_of_the_organization_can_be_revived_or_removed(
    database: Database, org: str, event_id: int
) -> None:
    register(database, a_webhook())
    add(database, an_event(1, "dead"), an_event(2, "queued"))
    bury(database, claim(database)[0])

    assert not database.write(lambda uow: uow.webhook_queue.revive(org, event_id, NOW_MS))
    assert not database.write(lambda uow: uow.webhook_queue.remove_dead(org, event_id))


def test_a_dead_letter_can_be_removed(database: Database) -> None:
    register(database, a_webhook())
    add(database, an_event(1))
    bury(database, claim(database)[0])

    assert database.write(lambda uow: uow.webhook_queue.remove_dead(ORG, 1))

    assert dead(database) == []


def test_the_longest_dead_are_forgotten_first(database: Database) -> None:
    register(database, a_webhook())
    add(database, *[an_event(number, f"o{number}") for number in (1, 2, 3)])
    for attempt in claim(database):
        bury(database, attempt, at_ms=NOW_MS - attempt.event.id)

    assert database.write(lambda uow: uow.webhook_queue.prune_dead(NOW_MS - 1, 1)) == 1
    assert dead(database) == [1, 2]
    assert database.write(lambda uow: uow.webhook_queue.prune_dead(NOW_MS - 1, 10)) == 1
    assert dead(database) == [1]


def test_removing_a_webhook_drops_its_queue_and_nobody_elses(database: Database) -> None:
    register(database, a_webhook(1), a_webhook(2, "http://b"))
    add(database, an_event(1, "dead"), an_event(2), an_event(3, webhook_id=2))
    bury(database, claim(database, limit=1)[0])

    database.write(lambda uow: uow.webhooks.remove(1))

    assert [each.webhook.id for each in database.read(lambda uow: uow.webhooks.report_of_org(ORG))] == [2]
    assert dead(database) == []
    assert first_due(database) == {2: NOW_MS}


def test_what_is_queued_for_a_webhook_that_is_gone_goes_with_the_next_claim(database: Database) -> None:
    add(database, an_event(1))
    assert first_due(database) == {1: NOW_MS}

    assert claim(database) == []

    assert first_due(database) == {}


def test_an_outcome_for_a_webhook_that_is_gone_is_not_current(database: Database) -> None:
    register(database, a_webhook())
    add(database, an_event(1))
    (attempt,) = claim(database)
    database.write(lambda uow: uow.webhooks.remove(1))

    assert not is_current(database, attempt)


def test_a_report_tells_how_each_webhook_is_doing(database: Database) -> None:
    register(database, a_webhook(1), a_webhook(2, "http://idle"))
    add(database, an_event(1, "dead"))
    bury(database, claim(database)[0])
    add(database, an_event(2, "a", queued_at_ms=NOW_MS - 5), an_event(3, "a"), an_event(4, "b"))
    database.write(lambda uow: uow.webhook_queue.note_failure(1, "The receiver answered 500.", NOW_MS + 1))

    idle, busy = database.read(lambda uow: uow.webhooks.report_of_org(ORG))

    assert (idle.webhook.url, idle.queued, idle.oldest_queued_at_ms, idle.dead, idle.last_error) == (
        "http://idle",
        0,
        None,
        0,
        "",
    )
    assert (busy.queued, busy.oldest_queued_at_ms, busy.dead) == (3, NOW_MS - 5, 1)
    assert (busy.last_error, busy.last_error_at_ms) == ("The receiver answered 500.", NOW_MS + 1)


@pytest.mark.postgres
@pytest.mark.parametrize("place", ["postgres"], indirect=True)
def test_an_event_that_joins_a_line_while_its_last_one_is_settled_is_not_lost(
    open_database: Callable[[], Database],
) -> None:
    one, other = open_database(), open_database()
    register(one, a_webhook())
    for number in range(1, 60, 2):
        add(one, an_event(number))
        (attempt,) = claim(one)
        joining = other.submit(lambda uow, n=number: uow.webhook_queue.add_many([an_event(n + 1)], NOW_MS))  # type: ignore[misc]

        def settle(uow: UnitOfWork, attempt: Attempt = attempt) -> None:
            assert uow.webhook_queue.is_current(attempt)
            uow.webhook_queue.done(attempt, NOW_MS)

        one.write(settle)
        joining.result()
        (following,) = claim(one)
        assert following.event.id == number + 1
        done(one, following)
    assert first_due(one) == {}
