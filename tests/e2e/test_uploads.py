"""Uploads in pieces by an application that repeats what it got no answer for."""

from __future__ import annotations

from tests.support.apps import PIECE_BYTES
from tests.support.contents import Content
from tests.support.fleet import Fleet


def test_a_repeated_last_piece_does_not_mix_with_the_next_upload(fleet: Fleet) -> None:
    first, second = (Content("repeated", version, 3 * PIECE_BYTES) for version in (1, 2))
    publisher = fleet.publisher
    publisher.put("upload", "repeated", destinationType="gateway")
    publisher.put_data_in_pieces("upload", "repeated", first)

    # Its answer was lost, so the client sends it again.
    publisher.put_piece("upload", "repeated", first, 2 * PIECE_BYTES)
    instance = (publisher.get("upload", "repeated") or {})["instanceID"]
    assert publisher.digest("upload", "repeated") == first.digest

    publisher.put_piece("upload", "repeated", second, 0)
    publisher.put_piece("upload", "repeated", second, PIECE_BYTES)
    assert (publisher.get("upload", "repeated") or {})["instanceID"] == instance, "the new data is not complete yet"
    publisher.put_piece("upload", "repeated", second, 2 * PIECE_BYTES)
    assert publisher.digest("upload", "repeated") == second.digest


def test_an_upload_that_was_given_up_does_not_mix_with_the_next_one(fleet: Fleet) -> None:
    first, second = (Content("given-up", version, 3 * PIECE_BYTES) for version in (1, 2))
    publisher = fleet.publisher
    publisher.put("upload", "given-up", destinationType="gateway")
    publisher.put_piece("upload", "given-up", first, 0)
    publisher.put_piece("upload", "given-up", first, PIECE_BYTES)

    publisher.put_piece("upload", "given-up", second, 0)
    publisher.put_piece("upload", "given-up", second, PIECE_BYTES)
    assert publisher.status("upload", "given-up") == "notReady"
    publisher.put_piece("upload", "given-up", second, 2 * PIECE_BYTES)

    assert publisher.digest("upload", "given-up") == second.digest


def test_pieces_of_an_upload_given_up_do_not_complete_the_next_one(fleet: Fleet) -> None:
    first, second = (Content("leftover", version, 3 * PIECE_BYTES) for version in (1, 2))
    publisher = fleet.publisher
    publisher.put("upload", "leftover", destinationType="gateway")
    for number in (2, 0):
        publisher.put_piece("upload", "leftover", first, number * PIECE_BYTES)

    publisher.put_piece("upload", "leftover", second, 0)
    publisher.put_piece("upload", "leftover", second, PIECE_BYTES)
    assert publisher.status("upload", "leftover") == "notReady"
    publisher.put_piece("upload", "leftover", second, 2 * PIECE_BYTES)

    assert publisher.digest("upload", "leftover") == second.digest


def test_pieces_may_come_in_any_order_and_twice(fleet: Fleet) -> None:
    content = Content("any-order", 1, 4 * PIECE_BYTES + 5)
    publisher = fleet.publisher
    publisher.put("upload", "any-order", destinationType="gateway")

    for number in (3, 1, 1, 4, 0, 3, 2):
        publisher.put_piece("upload", "any-order", content, number * PIECE_BYTES)

    assert publisher.digest("upload", "any-order") == content.digest
