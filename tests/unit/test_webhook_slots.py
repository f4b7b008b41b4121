"""How receivers share the calls that may be under way at once."""

from __future__ import annotations

from common.runtime.webhook_dispatch import Slots


def begin(slots: Slots, webhook_id: int, count: int = 1) -> None:
    for _ in range(count):
        assert slots.free(webhook_id) > 0
        slots.take(webhook_id)


def end(slots: Slots, webhook_id: int, *, is_answered: bool = True, took_seconds: float = 0.01) -> bool:
    return slots.give_back(webhook_id, is_answered=is_answered, took_seconds=took_seconds)


def slow(slots: Slots, *webhook_ids: int) -> None:
    for webhook_id in webhook_ids:
        begin(slots, webhook_id)
        end(slots, webhook_id, took_seconds=5)


def test_a_webhook_has_a_few_calls_and_all_together_have_a_limit() -> None:
    slots = Slots(total=5, of_webhook=2)
    assert slots.free(1) == 2
    begin(slots, 1, 2)
    assert slots.free(1) == 0
    begin(slots, 2, 2)
    assert slots.free(3) == 1
    begin(slots, 3)
    assert slots.free(4) == 0
    end(slots, 1)
    assert slots.free(4) == 1


def test_a_slow_webhook_has_one_call_until_it_is_quick_again() -> None:
    slots = Slots(total=8, of_webhook=2)
    slow(slots, 1)
    assert slots.free(1) == 1
    begin(slots, 1)
    assert slots.free(1) == 0
    end(slots, 1)
    assert slots.free(1) == 2


def test_slow_webhooks_never_have_more_than_half_of_all_calls() -> None:
    slots = Slots(total=8, of_webhook=2)
    slow(slots, *range(10))
    for webhook_id in range(4):
        begin(slots, webhook_id)
    assert slots.free(4) == 0
    assert slots.free(99) == 2


def test_only_a_webhook_that_did_not_answer_at_all_comes_back() -> None:
    slots = Slots()
    slow(slots, 1)
    begin(slots, 1)
    assert not end(slots, 1)
    begin(slots, 1)
    assert not end(slots, 1, is_answered=False)
    begin(slots, 1)
    assert end(slots, 1, took_seconds=3)
    begin(slots, 1)
    assert not end(slots, 1)


def test_what_is_known_of_webhooks_with_nothing_to_call_is_forgotten() -> None:
    slots = Slots()
    slow(slots, 1, 2, 3)
    begin(slots, 2)
    slots.forget_all_but({3})
    assert [slots.free(webhook_id) for webhook_id in (1, 2, 3)] == [2, 0, 1]
