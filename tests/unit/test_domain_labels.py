"""Labels and how they are written down."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.errors import InvalidRequest
from common.domain.labels import (
    MAX_LABELS,
    LabelSource,
    check_labels,
    effective,
    format_labels,
    is_label_name,
    parse_labels,
)

names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,5}([./-][A-Za-z0-9_]{1,5}){0,2}", fullmatch=True).filter(is_label_name)
values = st.text(max_size=20).filter(str.isprintable)


@given(st.dictionaries(names, values, max_size=5))
def test_labels_are_read_as_they_were_written(labels: dict[str, str]) -> None:
    text = format_labels(labels)

    assert text.isascii()
    assert parse_labels(text) == labels


@given(st.text())
def test_any_text_is_labels_or_refused(text: str) -> None:
    try:
        labels = parse_labels(text)
    except InvalidRequest:
        return
    check_labels(labels)


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("", {}),
        (" site = lab , purpose=demo,", {"site": "lab", "purpose": "demo"}),
        ("a=", {"a": ""}),
        ("a=b=c", {"a": "b=c"}),
        ("motto=one%2C%20two,openhorizon.cpu=4", {"motto": "one, two", "openhorizon.cpu": "4"}),
    ],
)
def test_labels_are_pairs_between_commas(text: str, labels: dict[str, str]) -> None:
    assert parse_labels(text) == labels


@pytest.mark.parametrize(
    "text",
    ["site", "=lab", "a=1,a=2", "1a=x", "a b=x", "a..b=x", "a.=x", "In=x", "and=x", "ä=x", "a=%ff", "a=%00", "a=%0A"],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_labels(text)


@pytest.mark.parametrize(
    "labels",
    [
        {f"l{number}": "" for number in range(MAX_LABELS + 1)},
        {"a" * 129: ""},
        {"a": "x" * 257},
    ],
    ids=["many", "a long name", "a long value"],
)
def test_labels_have_limits(labels: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest):
        check_labels(labels)


def test_an_administrators_word_stands_over_the_nodes_own() -> None:
    by_source = {
        LabelSource.REGISTRATION: {"site": "lab", "cpu": "4"},
        LabelSource.ADMIN: {"site": "hall", "owner": "ann"},
    }

    assert effective(by_source) == {"site": "hall", "cpu": "4", "owner": "ann"}
    assert effective({}) == {}


def test_labels_may_be_as_long_as_their_limits() -> None:
    check_labels({"a" * 128: "x" * 256})
