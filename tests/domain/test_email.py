"""One spelling for each address, and never one for two."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Invalid
from domain.users.email import EMAIL_MAX, parse_email

LETTERS_THAT_BECOME_OTHERS = {
    name: unicodedata.lookup(name)
    for name in (
        "LATIN CAPITAL LETTER I WITH DOT ABOVE",
        "KELVIN SIGN",
        "LATIN SMALL LETTER LONG S",
        "LATIN SMALL LETTER SHARP S",
        "LATIN CAPITAL LETTER SHARP S",
        "GREEK SMALL LETTER FINAL SIGMA",
        "FULLWIDTH LATIN SMALL LETTER A",
        "FULLWIDTH LATIN CAPITAL LETTER A",
        "MATHEMATICAL BOLD SMALL A",
        "LATIN SMALL LIGATURE FI",
        "SUPERSCRIPT TWO",
        "CIRCLED LATIN SMALL LETTER A",
        "FEMININE ORDINAL INDICATOR",
        "SMALL ROMAN NUMERAL EIGHT",
        "FULLWIDTH FULL STOP",
        "IDEOGRAPHIC FULL STOP",
        "HALFWIDTH IDEOGRAPHIC FULL STOP",
        "FULLWIDTH COMMERCIAL AT",
        "GREEK QUESTION MARK",
        "SOFT HYPHEN",
        "ZERO WIDTH SPACE",
        "ZERO WIDTH JOINER",
        "ZERO WIDTH NON-JOINER",
        "WORD JOINER",
        "VARIATION SELECTOR-16",
        "COMBINING GRAPHEME JOINER",
        "ZERO WIDTH NO-BREAK SPACE",
    )
}


@pytest.mark.parametrize(
    ("text", "email"),
    [
        ("ada@example.org", "ada@example.org"),
        ("Ada@Example.ORG", "ada@example.org"),
        ("  ada@example.org\n", "ada@example.org"),
        ("first.last+tag@sub.example.org", "first.last+tag@sub.example.org"),
        ("!#$%&'*+/=?^_`{|}~-@example.org", "!#$%&'*+/=?^_`{|}~-@example.org"),
        ("x@bücher.example", "x@xn--bcher-kva.example"),
        ("x@BÜCHER.example", "x@xn--bcher-kva.example"),
        ("x@XN--BCHER-KVA.example", "x@xn--bcher-kva.example"),
        ("x@例え.jp", "x@xn--r8jz45g.jp"),
        ("x@1.2.example", "x@1.2.example"),
        ("a" * 64 + "@example.org", "a" * 64 + "@example.org"),
        ("x@" + "a" * 63 + ".org", "x@" + "a" * 63 + ".org"),
        ("x@" + ".".join(["a" * 61] * 4) + ".ab", "x@" + ".".join(["a" * 61] * 4) + ".ab"),
    ],
)
def test_returns_the_one_spelling(text: str, email: str) -> None:
    assert parse_email(text) == email


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "ada",
        "ada@",
        "@example.org",
        "ada@localhost",
        "ada@example.org.",
        "ada@.example.org",
        "ada@exa mple.org",
        "a da@example.org",
        ".ada@example.org",
        "ada.@example.org",
        "a..da@example.org",
        "ada@@example.org",
        "ada@one@example.org",
        '"ada lovelace"@example.org',
        "ada@[127.0.0.1]",
        "ada@127.0.0.1",
        "ada@-example.org",
        "ada@example-.org",
        "ada@exa_mple.org",
        "ada@example.org\0",
        "a\0da@example.org",
        "ada@exam\nple.org",
        "ada\r\nBcc: all@example.org",
        "ada@\ud800.org",
        "Ada Lovelace <ada@example.org>",
        "ada,bob@example.org",
        "ada@example..org",
        "a" * 65 + "@example.org",
        "x@" + "a" * 64 + ".org",
        "x@" + ".".join(["a" * 62] * 4) + ".ab",
        "x@" + "ü" * 63 + ".org",
        "x@" + "a." * 100_000 + "org",
    ],
)
def test_refuses_what_is_no_address(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_email(text)

    assert [error.field for error in refused.value.errors] == ["email"]


@pytest.mark.parametrize("letter", LETTERS_THAT_BECOME_OTHERS.values(), ids=LETTERS_THAT_BECOME_OTHERS)
@pytest.mark.parametrize("text", ["x{}y@example.org", "x@ex{}mple.org", "x@example{}org", "x@\u00e9x{}mple.org"])
def test_refuses_letters_that_would_become_others(text: str, letter: str) -> None:
    with pytest.raises(Invalid):
        parse_email(text.format(letter))


def test_keeps_apart_letters_that_only_look_alike() -> None:
    dotless = "\N{LATIN SMALL LETTER DOTLESS I}"
    cyrillic = "\N{CYRILLIC SMALL LETTER IE}"

    assert parse_email(f"x@{dotless}ll.example") == "x@xn--ll-gpa.example"
    assert parse_email(f"x@{cyrillic}xample.org") == "x@xn--xample-2of.org"
    for letter in (dotless, cyrillic):
        with pytest.raises(Invalid):
            parse_email(f"{letter}@example.org")


@pytest.mark.parametrize(
    "domain", ["\u00e9xample.org", "\u00c5land.example", "\ud55c\uad6d.example", "vi\u1ec7t.example"]
)
def test_takes_composed_and_decomposed_domains_for_one(domain: str) -> None:
    composed, decomposed = (unicodedata.normalize(form, f"x@{domain}") for form in ("NFC", "NFD"))

    assert composed != decomposed
    assert parse_email(composed) == parse_email(decomposed)


def test_counts_the_length_of_the_stored_spelling() -> None:
    within = "x@" + ".".join(["a" * 61] * 4) + ".ab"
    assert len(parse_email(within)) <= EMAIL_MAX

    with pytest.raises(Invalid):
        parse_email("é@" + within)


def test_names_the_field_it_was_asked_about() -> None:
    with pytest.raises(Invalid) as refused:
        parse_email("nonsense", field="new_email")

    assert refused.value.errors[0].field == "new_email"


LOCALS = st.from_regex(r"[A-Za-z0-9+]{1,8}", fullmatch=True)
LABELS = st.text(
    st.characters(categories=["L", "M", "N"]) | st.sampled_from("aZ09-\u0131\u017f\u00df\u212a\u00e9\u0435"),
    min_size=1,
    max_size=6,
)
ADDRESSES = st.builds("{}@{}.{}".format, LOCALS, LABELS, LABELS | st.sampled_from(["org", "ORG"])) | st.text()


@given(ADDRESSES)
def test_what_was_returned_is_returned_again(text: str) -> None:
    try:
        email = parse_email(text)
    except Invalid:
        return

    assert email.isascii()
    assert parse_email(email) == email
    assert parse_email(f" {email.upper()} ") == email


@given(ADDRESSES)
def test_a_label_beyond_ascii_never_becomes_one_within(text: str) -> None:
    try:
        email = parse_email(text)
    except Invalid:
        return

    given_labels, labels = (each.strip().rpartition("@")[2].split(".") for each in (text, email))
    for given_label, label in zip(given_labels, labels, strict=True):
        assert label == given_label.lower() if given_label.isascii() else label.startswith("xn--")
