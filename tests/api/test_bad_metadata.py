"""PUT object with bodies that break a rule (rest-api 1.5, 3.8): the status, one line that says why, nothing changed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.node_under_test import EdgeUnderTest, NodeUnderTest
from tests.support.requests_asgi import Reply
from tests.support.requests_node import nothing_changes, register

in_memory = pytest.mark.parametrize("new_parts", ["memory"], indirect=True)
on_databases = pytest.mark.parametrize(
    "new_parts", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)

M1 = "/api/v1/objects/o/t/m1"
COPY = "/api/v1/objects/t/m1"


def with_member(name: str, value: str) -> str:
    """A body that is fine but for one member of the metadata, spelled as JSON."""
    return f'{{"meta": {{"objectID": "m1", "objectType": "t", "{name}": {value}}}, "data": "eA=="}}'


def assert_refused(reply: Reply, status: int = 400) -> None:
    assert (reply.status, reply.headers["content-type"]) == (status, "text/plain; charset=utf-8")
    assert reply.body.strip()
    assert reply.body.endswith(b"\n")
    assert reply.body.count(b"\n") == 1


def given_an_object(css: NodeUnderTest) -> None:
    register(css)
    assert css.put(M1, b"before", destinationType="edge", version="1").status == 204


NESTED = "[" * 50_000  # deeper than any reader goes, and fewer values than a body may have

MALFORMED = {
    "nothing": b"",
    "blank": b"  \n ",
    "cut short": b'{"meta": {"objectID": "m1", "objectType": "t"',
    "cut in a text": b'{"meta": {"objectID": "m1',
    "cut in an escape": b'{"meta": {"objectID": "m1\\u00',
    "array": b"[]",
    "array of the right": b'[{"meta": {"objectID": "m1", "objectType": "t"}}]',
    "null": b"null",
    "number": b"1",
    "text": b'"meta"',
    "no meta": b"{}",
    "only data": b'{"data": "eA=="}',
    "meta null": b'{"meta": null}',
    "meta array": b'{"meta": []}',
    "meta text": b'{"meta": "{}"}',
    "meta empty": b'{"meta": {}}',
    "not JSON": b"meta=1",
    "single quotes": b"{'meta': {'objectID': 'm1', 'objectType': 't'}}",
    "comma too many": b'{"meta": {"objectID": "m1", "objectType": "t",}}',
    "comment": b'{"meta": {"objectID": "m1", /* */ "objectType": "t"}}',
    "byte order mark": b'\xef\xbb\xbf{"meta": {"objectID": "m1", "objectType": "t"}}',
    "utf-16": '{"meta": {"objectID": "m1", "objectType": "t"}}'.encode("utf-16"),
    "invalid utf-8": b'{"meta": {"objectID": "m1", "objectType": "t", "description": "\xff\xfe"}}',
    "overlong utf-8": b'{"meta": {"objectID": "m1", "objectType": "t", "description": "\xc0\xaf"}}',
    "half a surrogate pair": rb'{"meta": {"objectID": "m1", "objectType": "t", "description": "\ud800"}}',
    "half a surrogate pair as a name": rb'{"meta": {"objectID": "m1", "objectType": "t", "\udfff": 1}}',
    "surrogates as utf-8": b'{"meta": {"objectID": "m1", "objectType": "t", "description": "\xed\xa0\x80"}}',
    "control character in a text": b'{"meta": {"objectID": "m1", "objectType": "t", "description": "a\x01b"}}',
    "NUL in a text": b'{"meta": {"objectID": "m1", "objectType": "t", "description": "a\x00b"}}',
    "NaN": with_member("consumers", "NaN").encode(),
    "infinity": with_member("consumers", "-Infinity").encode(),
    "NaN where nobody looks": with_member("unknown", "NaN").encode(),
    "leading zero": with_member("consumers", "007").encode(),
    "hexadecimal": with_member("consumers", "0x7").encode(),
    "5,000 digits": with_member("consumers", "9" * 5000).encode(),
    "5,000 digits where nobody looks": with_member("unknown", "9" * 5000).encode(),
    "nested arrays": NESTED.encode(),
    "nested objects": ('{"meta":' * 100_000).encode(),
    "nested and closed": with_member("unknown", NESTED + "]" * 50_000).encode(),
    "nested before the rest": f'{{"x": {NESTED}{"]" * 50_000}, "meta": {{"objectID": "m1"}}}}'.encode(),
}


@in_memory
@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_malformed_json_is_refused(css: NodeUnderTest, body: bytes) -> None:
    given_an_object(css)
    with nothing_changes(css):
        assert_refused(css.call("PUT", M1, body))


TEXTS = [
    "objectID", "objectType", "destinationOrgID", "destinationID", "destinationType", "expiration", "version",
    "description", "link", "activationTime", "destinationDataUri", "sourceDataUri", "originID", "originType",
    "hashAlgorithm", "publicKey", "signature", "ownerID",
]  # fmt: skip
FLAGS = ["inactive", "noData", "metaOnly", "autodelete", "deleted", "public"]
#: Beyond what 64 bits hold.
TOO_FAR = [str(2**63), str(-(2**63) - 1), "1" + "0" * 30]
NUMBERS = ["consumers", "instanceID", "dataID", "objectSize", "chunkSize", "uploadChunkSize"]

WRONG_TYPES: dict[str, list[str]] = {
    **{name: ["1", "true", '["m1"]', '{"a": "m1"}'] for name in TEXTS},
    **{name: ["1", '"true"', "[]", "{}", "0.0"] for name in FLAGS},
    **{name: ['"1"', "true", "1.0", "1e2", "[1]", "{}", "1e400", *TOO_FAR] for name in NUMBERS},
    "destinationsList": ['"edge:n1"', "1", "true", '{"edge": "n1"}', "[1]", "[null]", '[["edge:n1"]]'],
    "destinationPolicy": [
        '"x"', "1", "[]", "true", '{"properties": {}}', '{"properties": [1]}', '{"constraints": [1]}',
        '{"services": [{"orgID": 1}]}', '{"timestamp": "x"}', f'{{"timestamp": {2**63}}}',
    ],
}  # fmt: skip


@in_memory
@pytest.mark.parametrize("name", WRONG_TYPES)
def test_a_member_of_the_wrong_type_is_refused(css: NodeUnderTest, name: str) -> None:
    given_an_object(css)
    with nothing_changes(css):
        for value in WRONG_TYPES[name]:
            assert_refused(css.call("PUT", M1, with_member(name, value)))
            if name not in ("objectID", "objectType"):  # there the exact name is given, too, and wins
                assert_refused(css.call("PUT", M1, with_member(name.upper(), value)))


@in_memory
@pytest.mark.parametrize(
    "data", ['"a"', '"eA="', '"eA==="', '"e A=="', '"e\\nA=="', '"_-=="', '"é"', "1", "true", "[]", "{}", '["eA=="]']
)
def test_data_that_is_no_base64_is_refused(css: NodeUnderTest, data: str) -> None:
    given_an_object(css)
    with nothing_changes(css):
        assert_refused(css.call("PUT", M1, f'{{"meta": {{"objectID": "m1", "objectType": "t"}}, "data": {data}}}'))


BROKEN_RULES: list[dict[str, Any]] = [
    {"objectID": ""},
    {"objectID": "m2"},
    {"objectID": "M1"},
    {"objectType": ""},
    {"objectType": "u"},
    {"destinationOrgID": "x"},
    {"destinationOrgID": "a b"},
    {"hashAlgorithm": "sha256"},
    {"hashAlgorithm": "MD5"},
    {"publicKey": "!"},
    {"signature": "a"},
    {"version": "1 0"},
    {"version": "a/b"},
    {"description": "a <b>word</b>"},
    {"description": "<1>"},
    {"metaOnly": True},
    {"destinationID": "n1"},
    {"destinationType": "a b"},
    {"destinationType": "a\0b"},
    {"destinationType": "a/b"},
    {"destinationType": "../x"},
    {"destinationType": "edge", "destinationID": "a\0b"},
    {"destinationType": "edge", "destinationsList": ["edge:n1"]},
    {"destinationType": "edge", "destinationsList": []},
    {"destinationsList": ["edge"]},
    {"destinationsList": ["edge:n1:x"]},
    {"destinationsList": [":n1"]},
    {"destinationsList": ["edge:"]},
    {"destinationsList": [""]},
    {"destinationsList": ["<a>:n1"]},
    {"destinationsList": ["edge:n\0"]},
    {"destinationsList": ["edge:n1", "edge:unknown"]},
    {"destinationsList": ["x/edge:n1"]},
    {"destinationPolicy": {}, "destinationType": "edge"},
    {"destinationPolicy": {}, "destinationsList": ["edge:n1"]},
    {"autodelete": True},
    {"deleted": True},
    {"sourceDataUri": "file:///etc/passwd"},
    {"originType": "a b", "originID": "n1"},
    {"originType": "edge", "originID": "../n1"},
]


@in_memory
@pytest.mark.parametrize("members", BROKEN_RULES, ids=lambda members: json.dumps(members)[:40])
def test_a_broken_rule_is_refused(css: NodeUnderTest, members: dict[str, Any]) -> None:
    given_an_object(css)
    body = {"meta": {"objectID": "m1", "objectType": "t", **members}, "data": "eA=="}
    with nothing_changes(css):
        assert_refused(css.call("PUT", M1, body))


@in_memory
@pytest.mark.parametrize("members", [{"objectSize": -1}, {"dataID": -1}])
def test_sizes_that_would_be_kept_are_not_negative(css: NodeUnderTest, members: dict[str, Any]) -> None:
    given_an_object(css)
    with nothing_changes(css):
        assert_refused(css.put(M1, **members))


@in_memory
@pytest.mark.parametrize(
    "members",
    [
        {"expiration": "2099-01-01T00:00:00Z"},
        {"destinationsList": []},
        {"destinationsList": ["edge:n1"]},
        {"destinationDataUri": "file:///tmp/x"},
        {"destinationOrgID": "x"},
        {"sourceDataUri": "file:///tmp/x"},
        {"sourceDataUri": "http://host/x"},
    ],
    ids=lambda members: json.dumps(members)[:40],
)
def test_what_an_edge_refuses(ess: EdgeUnderTest, members: dict[str, Any]) -> None:
    ess.put(COPY, b"before")
    with nothing_changes(ess):
        assert_refused(ess.put(COPY, **members))
        assert_refused(ess.put(COPY, b"x", **members))


@on_databases
def test_no_body_that_breaks_a_rule_reaches_a_database(css: NodeUnderTest) -> None:
    """All of the above in one go: no engine may see what it would choke on."""
    given_an_object(css)
    broken = [{"meta": {"objectID": "m1", "objectType": "t", **m}, "data": "eA=="} for m in BROKEN_RULES]
    bodies: list[Any] = [
        *MALFORMED.values(),
        *(with_member(n, value) for n, values in WRONG_TYPES.items() for value in values),
        *broken,
    ]
    with nothing_changes(css):
        for body in bodies:
            assert_refused(css.call("PUT", M1, body))


@on_databases
@pytest.mark.parametrize(
    "text", ["a\0b", "\0", "\U0010ffff", "\ufeff", "\u202e", "'; DROP TABLE objects; --", "x" * 100_000]
)
def test_text_that_is_free_is_kept_as_it_is(css: NodeUnderTest, text: str) -> None:
    given_an_object(css)
    assert css.put(M1, b"x", description=text, link=text).status == 204

    meta = css.call("GET", M1).json()
    assert (meta["description"], meta["link"]) == (text, text)


def test_a_refused_update_of_large_data_leaves_none_of_it(css: NodeUnderTest) -> None:
    """FIX of rest-api 3.8: everything is checked first."""
    given_an_object(css)
    with nothing_changes(css):
        assert_refused(css.put(M1, b"x" * 500_000, destinationsList=["edge:unknown"]))
        assert_refused(css.put(M1, b"x" * 500_000, version="a b"))
