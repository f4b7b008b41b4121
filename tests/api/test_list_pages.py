"""Lists of any length: whole for those who know no pages, page by page for those who ask."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest

from common.domain.objects import ObjectStatus
from common.rest.pages import LARGEST_LIMIT, PIECE_ROWS
from common.sync.ports import UnitOfWork
from tests.support.builders import a_delivery, a_node, an_object, node_key, object_key
from tests.support.node_under_test import ORG, EdgeUnderTest, NodeUnderTest
from tests.support.requests_asgi import Reply
from tests.support.requests_node import register, send_up

OBJECTS = f"/api/v1/objects/{ORG}"
FILTERED = f"{OBJECTS}?filters=true"
LISTS = [
    FILTERED,
    f"{OBJECTS}?destination_policy=true",
    f"{OBJECTS}/t?all_objects=true",
    f"{OBJECTS}?list_object_type=true",
]


def fill(node: NodeUnderTest, count: int, *, is_copy: bool = False) -> list[str]:
    """So many objects of one type; their ids in the order of lists."""
    ids = sorted(f"o{number}" for number in range(count))
    status = ObjectStatus.COMPLETELY_RECEIVED if is_copy else ObjectStatus.READY
    objects = [an_object(object_key(each, "t", ORG), status, is_own=not is_copy) for each in ids]
    node.database.write(lambda uow: uow.objects.save_many(objects))
    return ids


def next_target(reply: Reply) -> str | None:
    link = reply.headers.get("link")
    if link is None:
        return None
    match = re.fullmatch(r'<(.+)>; rel="next"', link)
    assert match is not None
    return match[1]


def ids_of(reply: Reply) -> list[str]:
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    return [item["objectID"] for item in reply.json()]


@pytest.mark.parametrize("count", [1, PIECE_ROWS - 1, PIECE_ROWS, PIECE_ROWS + 1, 2 * PIECE_ROWS, 3 * PIECE_ROWS + 7])
@pytest.mark.parametrize("query", ["?filters=true", "/t?all_objects=true"])
def test_a_list_without_a_limit_is_complete_whatever_its_size(css: NodeUnderTest, count: int, query: str) -> None:
    expected = fill(css, count)

    reply = css.call("GET", f"{OBJECTS}{query}")

    assert ids_of(reply) == expected
    assert "link" not in reply.headers
    # A short list has a length, so that the simplest clients can take it.
    assert ("content-length" in reply.headers) == (count <= PIECE_ROWS)


def test_a_long_polling_list_is_complete(ess: EdgeUnderTest) -> None:
    expected = fill(ess, 2 * PIECE_ROWS + 1, is_copy=True)

    assert ids_of(ess.call("GET", "/api/v1/objects/t")) == expected


@pytest.mark.parametrize("limit", [1, 3, 10, 11, LARGEST_LIMIT])
def test_pages_lead_to_each_other_until_everything_was_listed_once(css: NodeUnderTest, limit: int) -> None:
    expected = fill(css, 11)
    target: str | None = f"{FILTERED}&objectType=t&limit={limit}"
    pages = []
    while target is not None:
        reply = css.call("GET", target)
        pages.append(ids_of(reply))
        target = next_target(reply)

    assert [each for page in pages for each in page] == expected
    assert all(len(page) == limit for page in pages[:-1])
    assert 0 < len(pages[-1]) <= limit


def test_a_page_may_be_larger_than_what_one_transaction_reads(css: NodeUnderTest) -> None:
    expected = fill(css, LARGEST_LIMIT + 1)

    reply = css.call("GET", f"{FILTERED}&limit={LARGEST_LIMIT}")

    assert ids_of(reply) == expected[:-1]
    following = next_target(reply)
    assert following is not None
    assert ids_of(css.call("GET", following)) == expected[-1:]


def test_the_link_repeats_the_rest_of_the_query_and_any_name(css: NodeUnderTest) -> None:
    for name in ("é$*", "日本", "~"):
        css.put(f"{OBJECTS}/{name}/m1", b"x", noData=False)
    reply = css.call("GET", f"{FILTERED}&noData=false&limit=1&after=")
    following = next_target(reply)

    assert following is not None
    parts = urlsplit(following)
    assert parts.path == OBJECTS
    assert "noData=false" in parts.query
    assert "limit=1" in parts.query
    assert parts.query.count("after=") == 1
    assert [item["objectType"] for item in css.call("GET", following).json()] == ["é$*"]


def test_pages_go_on_where_they_were_whatever_changed_meanwhile(css: NodeUnderTest) -> None:
    for name in ("b", "d", "f"):
        css.put(f"{OBJECTS}/t/{name}", b"x")
    first = css.call("GET", f"{FILTERED}&limit=2")
    css.call("DELETE", f"{OBJECTS}/t/d")
    css.put(f"{OBJECTS}/t/a", b"x")
    css.put(f"{OBJECTS}/t/e", b"x")

    following = next_target(first)
    assert following is not None
    assert ids_of(css.call("GET", following)) == ["e", "f"]


def test_behind_the_last_entry_there_is_nothing(css: NodeUnderTest) -> None:
    css.put(f"{OBJECTS}/t/a", b"x")
    css.put(f"{OBJECTS}/t/b", b"x")
    following = next_target(css.call("GET", f"{FILTERED}&limit=1"))
    css.call("DELETE", f"{OBJECTS}/t/b")

    assert following is not None
    assert css.call("GET", following).body in (b"", b"[]")


def test_types_come_in_pages_too(css: NodeUnderTest) -> None:
    for name in ("a", "b", "c"):
        css.put(f"{OBJECTS}/{name}/m1", b"x")
    first = css.call("GET", f"{OBJECTS}?list_object_type=true&limit=2")
    following = next_target(first)

    assert first.json() == ["a", "b"]
    assert following is not None
    last = css.call("GET", following)
    assert last.json() == ["c"]
    assert next_target(last) is None


def test_the_polling_list_comes_in_pages_too(css: NodeUnderTest) -> None:
    for name in ("a", "b"):
        send_up(css, name)
    first = css.call("GET", f"{OBJECTS}/t?limit=1")
    following = next_target(first)

    assert ids_of(first) == ["a"]
    assert following is not None
    assert ids_of(css.call("GET", following)) == ["b"]


@pytest.mark.parametrize("value", ["0", "-1", "1001", "1.5", "ten", "00001", "%D9%A1", "1e2", "+5"])
@pytest.mark.parametrize("target", LISTS)
def test_a_malformed_limit_is_refused(css: NodeUnderTest, target: str, value: str) -> None:
    css.put(f"{OBJECTS}/t/m1", b"x", destinationPolicy={})

    assert css.call("GET", f"{target}&limit={value}").status == 400


@pytest.mark.parametrize(
    "value",
    ["x", "****", "WyJ0Il0", "WyJ0IiwxXQ", "eyJ0IjoxfQ", "WyJ0IiwibTEiXQ==x", "WyJcdTAwMDAiLCJhIl0", "%00", "é"],
)
@pytest.mark.parametrize("target", LISTS)
def test_a_malformed_cursor_is_refused(css: NodeUnderTest, target: str, value: str) -> None:
    css.put(f"{OBJECTS}/t/m1", b"x", destinationPolicy={})

    assert css.call("GET", f"{target}&limit=1&after={value}").status == 400


def test_a_list_with_very_many_destinations_is_complete(css: NodeUnderTest) -> None:
    nodes = [node_key(f"n{number:04}", org=ORG) for number in range(900)]
    keys = [object_key(f"o{number:02}", "t", ORG) for number in range(12)]

    def save(uow: UnitOfWork) -> None:
        for node in nodes:
            uow.nodes.save(a_node(node))
        uow.objects.save_many([an_object(key) for key in keys])
        uow.deliveries.save_many([a_delivery(key, node) for key in keys for node in nodes])

    css.database.write(save)

    reply = css.call("GET", f"{OBJECTS}/t?all_objects=true")
    assert ids_of(reply) == [key.id for key in keys]
    assert [len(item["destinations"]) for item in reply.json()] == [len(nodes)] * len(keys)
    limited = css.call("GET", f"{OBJECTS}/t?all_objects=true&limit=11")
    assert ids_of(limited) == [key.id for key in keys][:11]
    assert next_target(limited) is not None


def test_destinations_of_a_fan_out_that_is_not_finished_are_all_shown(css: NodeUnderTest) -> None:
    """The answer is that of the object's own destinations, whether deliveries are opened by then or not."""
    for number in range(150):
        register(css, node_key(f"n{number:03}", org=ORG))
    css.put(f"{OBJECTS}/t/m1", b"x", destinationType="edge")

    [listed] = css.call("GET", f"{OBJECTS}/t?all_objects=true").json()
    assert len(listed["destinations"]) == 150
    assert listed["destinations"] == css.call("GET", f"{OBJECTS}/t/m1/destinations").json()


def test_a_destination_that_was_dropped_is_not_listed_any_more(css: NodeUnderTest) -> None:
    register(css)
    css.put(f"{OBJECTS}/t/m1", b"x", destinationType="edge")
    css.call("GET", "/spi/v1/objects/", actor="o/edge/n1", headers={"x-sync-service-dest": "o/edge/n1"})
    css.put(f"{OBJECTS}/t/m1", b"x", destinationType="camera")

    [listed] = css.call("GET", f"{OBJECTS}/t?all_objects=true").json()
    assert listed["destinations"] == []
