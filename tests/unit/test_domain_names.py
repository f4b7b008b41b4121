"""Names, character by character."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from common.domain.names import MAX_NAME_BYTES, is_valid_description, is_valid_name

PUNCTUATION = "!@#$^*-_.~|"


def test_exactly_letters_numbers_and_eleven_signs_make_a_name() -> None:
    def is_expected(character: str) -> bool:
        return character in PUNCTUATION or unicodedata.category(character)[0] in "LN"

    characters = map(chr, range(sys.maxunicode + 1))
    assert [hex(ord(c)) for c in characters if is_valid_name(c) != is_expected(c)] == []


@pytest.mark.parametrize("refused", " /:%+&=<>'\"\\,;()[]{}?`\0\n\t\x7f")
def test_a_refused_character_spoils_a_name_wherever_it_stands(refused: str) -> None:
    for name in (refused, f"{refused}ab", f"a{refused}b", f"ab{refused}", f"日{refused}"):
        assert not is_valid_name(name)


@pytest.mark.parametrize("name", ["a", "0", "..", "-", "!@#$^*-_.~|", "Model_1.0", "日本語", "Ünïcödé", "½", "𝔘"])
def test_names_seen_in_the_field_are_allowed(name: str) -> None:
    assert is_valid_name(name)


def test_a_combining_mark_is_no_letter() -> None:
    assert is_valid_name("é")
    assert not is_valid_name("e\N{COMBINING ACUTE ACCENT}")


def test_a_lone_surrogate_is_no_letter() -> None:
    assert not is_valid_name("a\ud800")


@pytest.mark.parametrize("letter", ["a", "日"])
def test_a_name_has_a_length(letter: str) -> None:
    assert not is_valid_name("")
    fitting = MAX_NAME_BYTES // len(letter.encode())
    assert is_valid_name(letter * fitting)
    assert not is_valid_name(letter * (fitting + 1))


@pytest.mark.parametrize("text", ["", "<>", "a < b", "<a b>", "a > b", "< b>", "<é>", "<a/>", "<!a>", "</ a>", "日"])
def test_a_description_may_say_anything(text: str) -> None:
    assert is_valid_description(text)


@pytest.mark.parametrize("text", ["<b>", "</b>", "<1>", "x<script>y", "\n</H1>\n", "<<b>>"])
def test_a_description_has_no_simple_tag(text: str) -> None:
    assert not is_valid_description(text)
