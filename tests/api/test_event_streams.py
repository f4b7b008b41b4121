"""Server-sent events of the updated list (docs/events.md), on a port: what comes, in which order, for whom."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from common.domain.errors import Unavailable
from common.rest import event_stream
from common.rest.feed import Feeds
from tests.support.event_source import EventSource
from tests.support.node_under_test import EdgeUnderTest, Parts, an_ess, wait_until

LIST = "/api/v1/objects/t"
FEW_SECONDS = 0.3


@pytest.fixture
def made_feeds(monkeypatch: pytest.MonkeyPatch) -> list[Feeds]:
    """Those of every node that is built."""
    made: list[Feeds] = []

    def make(*arguments: Any) -> Feeds:
        made.append(Feeds(*arguments))
        return made[-1]

    monkeypatch.setattr("common.rest.application.Feeds", make)
    return made


@pytest.fixture
def ess(new_parts: Callable[[str], Parts], made_feeds: list[Feeds]) -> Iterator[EdgeUnderTest]:
    with closing(an_ess(new_parts("ess"))) as node, node.served():
        yield node


@pytest.fixture
def feeds(ess: EdgeUnderTest, made_feeds: list[Feeds]) -> Feeds:
    return made_feeds[0]


@pytest.fixture
def listen(ess: EdgeUnderTest) -> Iterator[Callable[..., EventSource]]:
    """Opens streams that end with the test."""
    with ExitStack() as open_streams:

        def open_one(
            last_event_id: str = "", target: str = LIST, actor: str = "ann@o", receive_buffer_bytes: int = 0
        ) -> EventSource:
            source = EventSource(
                ess.address, target, last_event_id=last_event_id, actor=actor, receive_buffer_bytes=receive_buffer_bytes
            )
            return open_streams.enter_context(source).opened()

        yield open_one


Listen = Callable[..., EventSource]


def test_a_new_listener_gets_what_the_list_shows_in_the_order_of_its_arrival(
    ess: EdgeUnderTest, listen: Listen
) -> None:
    ess.receive("b")
    ess.receive("a")
    ess.receive("other", object_type="u")
    ess.hear_of("on-its-way")

    stream = listen()

    assert stream.names(2) == ["b", "a"]
    assert stream.update_within(FEW_SECONDS) is None


def test_an_update_is_the_metadata_as_in_the_list(ess: EdgeUnderTest, listen: Listen) -> None:
    ess.receive("a", description='two\nlines and "quotes"')

    assert [listen().update().json()] == ess.call("GET", LIST).json()


def test_a_listener_hears_of_arrivals_updates_and_deletions(ess: EdgeUnderTest, listen: Listen) -> None:
    stream = listen()
    ess.receive("a", b"1")
    assert stream.update().json()["objectID"] == "a"

    ess.receive("a", b"22", instance_id=2)
    assert stream.update().json()["instanceID"] == 2
    ess.lose("a", instance_id=3)

    assert stream.update().json()["deleted"] is True


def test_one_event_for_one_object_however_often_somebody_is_woken(ess: EdgeUnderTest, listen: Listen) -> None:
    stream = listen()
    ess.receive("a")
    assert stream.names(1) == ["a"]
    for _ in range(3):
        ess.wake("objects:o/t")

    assert stream.update_within(FEW_SECONDS) is None


def test_a_listener_that_comes_back_gets_what_it_missed(ess: EdgeUnderTest, listen: Listen) -> None:
    ess.receive("a")
    ess.receive("b")
    stream = listen()
    assert stream.names(2) == ["a", "b"]
    stream.close()
    ess.receive("c")
    ess.lose("a", instance_id=2)

    again = listen(stream.last_event_id)

    assert again.names(2) == ["c", "a"]
    assert again.update_within(FEW_SECONDS) is None


def test_a_listener_that_was_cut_off_in_the_middle_goes_on_from_there(ess: EdgeUnderTest, listen: Listen) -> None:
    for name in "abcdef":
        ess.receive(name)
    stream = listen()
    assert stream.names(3) == ["a", "b", "c"]

    assert listen(stream.last_event_id).names(3) == ["d", "e", "f"]


def test_what_was_acknowledged_is_not_repeated(ess: EdgeUnderTest, listen: Listen) -> None:
    for name in "abc":
        ess.receive(name)
    ess.call("PUT", f"{LIST}/a/received")
    ess.call("PUT", f"{LIST}/b/consumed")

    assert listen().names(1) == ["c"]
    assert listen(target=f"{LIST}?received=true").names(2) == ["a", "c"]


@pytest.mark.parametrize("last_event_id", ["abc.17", "0.99999999999999999", "nonsense", "1.x", "-", "1.1" * 40])
def test_an_id_that_means_nothing_here_means_everything(ess: EdgeUnderTest, listen: Listen, last_event_id: str) -> None:
    ess.receive("a")

    assert listen(last_event_id).names(1) == ["a"]


def test_an_id_of_the_future_means_everything(ess: EdgeUnderTest, listen: Listen) -> None:
    """As after the restoration of an older state of the store."""
    ess.receive("a")
    epoch, _, number = listen().update().id.partition(".")

    assert listen(f"{epoch}.{int(number) + 1_000_000_000}").names(1) == ["a"]


def test_the_stream_says_what_it_is(ess: EdgeUnderTest, listen: Listen) -> None:
    stream = listen()

    assert stream.parser.status == 200
    assert stream.parser.headers["content-type"].startswith("text/event-stream")
    assert "no-store" in stream.parser.headers["cache-control"]
    wait_until(lambda: stream.receive(0.1) or bool(stream.events))
    assert 0 < int(stream.events[0].retry) < 60_000


def test_a_head_request_opens_no_stream(ess: EdgeUnderTest) -> None:
    reply = ess.call("HEAD", LIST, headers={"accept": "text/event-stream"})

    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["content-type"].startswith("text/event-stream")


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/*", "text/event-stream;q=0", "text/event-streams"])
def test_nobody_gets_a_stream_unasked(ess: EdgeUnderTest, accept: str) -> None:
    ess.receive("a")

    assert ess.call("GET", LIST, headers={"accept": accept}).json()[0]["objectID"] == "a"


def test_strangers_get_no_stream(ess: EdgeUnderTest, listen: Listen) -> None:
    assert listen(actor="nobody-known").parser.status == 403
    assert listen(actor="bob@other-org").parser.status == 403


def test_several_types_come_in_one_stream(ess: EdgeUnderTest, listen: Listen) -> None:
    ess.receive("1", object_type="a")
    stream = listen(target="/api/v1/events?type=a&type=b")
    assert stream.names(1) == ["1"]
    ess.receive("2", object_type="b")
    ess.receive("3", object_type="c")
    ess.receive("4", object_type="a")
    assert stream.names(2) == ["2", "4"]
    stream.close()
    ess.receive("5", object_type="b")

    assert listen(stream.last_event_id, "/api/v1/events?type=b&type=a").names(1) == ["5"]


@pytest.mark.parametrize(
    "target", ["/api/v1/events", "/api/v1/events?type=", "/api/v1/events?type=a%20b", "/api/v1/events/o?type=a"]
)
def test_a_stream_of_nothing_sensible_is_refused(ess: EdgeUnderTest, target: str) -> None:
    assert ess.call("GET", target).status == 400


def test_listeners_that_leave_leave_nothing_behind(ess: EdgeUnderTest, feeds: Feeds, listen: Listen) -> None:
    streams = [listen() for _ in range(5)] + [listen(target="/api/v1/events?type=x&type=y")]
    wait_until(lambda: feeds.subscribers == 6)
    for stream in streams:
        stream.close()

    wait_until(lambda: feeds.subscribers == 0)
    assert not feeds._feeds
    assert feeds._timer is None
    assert not any(topic.startswith("objects:") for topic in ess._hub._tasks)


def test_a_stopping_service_ends_streams_properly(ess: EdgeUnderTest, feeds: Feeds, listen: Listen) -> None:
    streams = [listen() for _ in range(3)]
    ess.receive("a")
    for stream in streams:
        assert stream.names(1) == ["a"]
    ess.draining.begin()

    for stream in streams:
        stream.wait_for_end()
        assert stream.parser.is_finished
    wait_until(lambda: feeds.subscribers == 0)


def test_two_hundred_listeners_all_hear_of_one_object_read_once(
    ess: EdgeUnderTest, feeds: Feeds, listen: Listen
) -> None:
    streams = [listen() for _ in range(200)]
    ess.receive("first")
    assert [stream.names(1) for stream in streams] == [["first"]] * 200

    reads = counted_reads(feeds)
    ess.receive("second")

    assert [stream.names(1) for stream in streams] == [["second"]] * 200
    assert len(reads) == 1


def test_a_listener_that_lags_reads_on_from_the_store(
    ess: EdgeUnderTest, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.rest.feed._RING_UPDATES", 3)
    monkeypatch.setattr("common.rest.feed._PAGE_OBJECTS", 4)
    stream, keen = listen(receive_buffer_bytes=4096), listen()
    text = "x" * 20_000
    for number in range(60):
        ess.receive(f"{number:02}", description=text)

    assert sorted(keen.names(60)) == [f"{number:02}" for number in range(60)]
    assert stream.names(60) == [f"{number:02}" for number in range(60)]


def test_a_listener_that_reads_nothing_is_disconnected_and_holds_up_nobody(
    ess: EdgeUnderTest, feeds: Feeds, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "_STALL_SECONDS", 0.2)
    feeds._beat_seconds = 0.05
    deaf, keen = listen(receive_buffer_bytes=4096), listen()
    text = "x" * 50_000
    for number in range(150):
        ess.receive(f"{number:03}", description=text)
        assert keen.names(1) == [f"{number:03}"]

    wait_until(lambda: feeds.subscribers == 1)
    while not deaf.is_ended:
        deaf.receive(1)
    assert not deaf.parser.is_finished


def test_a_quiet_stream_shows_that_it_is_alive(ess: EdgeUnderTest, feeds: Feeds, listen: Listen) -> None:
    feeds._beat_seconds = 0.05
    stream = listen()

    wait_until(lambda: stream.receive(0.1) and any(event.is_comment for event in stream.events))


def test_a_lost_wake_up_costs_time_only(ess: EdgeUnderTest, feeds: Feeds, listen: Listen) -> None:
    feeds._beat_seconds = 0.2
    stream = listen()
    ess._hub.attach(None)
    ess.receive("a")
    ess._hub.attach(ess._loop)

    assert stream.names(1) == ["a"]


def test_a_failing_store_interrupts_nothing_for_good(
    ess: EdgeUnderTest, feeds: Feeds, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.rest.feed._FAILURE_PAUSE_SECONDS", 0.05)
    stream = listen()
    ess.receive("a")
    assert stream.names(1) == ["a"]
    read = feeds._transactions.read
    failures = []

    async def fail(work: object) -> object:
        failures.append(work)
        if len(failures) > 3:
            monkeypatch.setattr(feeds._transactions, "read", read)
        raise Unavailable("not now")

    monkeypatch.setattr(feeds._transactions, "read", fail)
    ess.receive("b")

    assert stream.names(1) == ["b"]


def counted_reads(feeds: Feeds) -> list[object]:
    """Grows with every reading transaction from now on."""
    read = feeds._transactions.read
    reads: list[object] = []

    async def counting(work: Callable[..., object]) -> object:
        reads.append(work)
        return await read(work)

    feeds._transactions.read = counting  # type: ignore[method-assign, assignment]
    return reads
