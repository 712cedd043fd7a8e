"""What letters say."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from adapters.mail.letters import JinjaLetterWriter
from application.mail import LetterUnwritable
from application.outbox import LETTER_DATA, Letter, LetterStatus, LetterTemplate
from domain.users.email import Email
from tests.builders import an_id
from tests.clock import NOW
from tests.mail.outbox import LINK

NASTY = "{{7*7}} ${7*7} {% raw %} <script>alert(1)</script> \"'>&amp; \r\nBcc: x\x1b[2J"


def a_letter(template: LetterTemplate, *, value: str = LINK) -> Letter:
    return Letter(
        id=an_id(),
        user_id=None,
        recipient=Email("ada@example.org"),
        template=template,
        data=dict.fromkeys(LETTER_DATA[template], value),
        status=LetterStatus.PENDING,
        attempts=1,
        next_attempt_at=NOW,
        leased_until=None,
        lease=1,
        last_error=None,
        created_at=NOW,
        sent_at=None,
    )


class _Page(HTMLParser):
    """The words of a page, its tags, and where its links lead."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words = ""
        self.tags: set[str] = set()
        self.links: list[str | None] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "a":
            self.links.append(dict(attrs)["href"])

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.fixture(scope="module")
def writer() -> JinjaLetterWriter:
    """Provide the writer of an installation."""
    return JinjaLetterWriter("Acme & Sons")


@pytest.mark.parametrize("template", list(LetterTemplate))
class TestEachLetter:
    def test_is_written_as_text_and_as_html(self, writer: JinjaLetterWriter, template: LetterTemplate) -> None:
        letter = a_letter(template)

        message = writer.write(letter)

        assert (message.id, message.recipient, message.created_at) == (letter.id, letter.recipient, NOW)
        assert message.subject.startswith("Acme & Sons: ")
        assert message.text.startswith("Hello,\n\n")
        assert message.text.endswith("Nobody reads answers to this address.\n")
        assert "\n\n\n" not in message.text
        assert 'name="viewport"' in message.html
        for form in (message.text, _Page(message.html).words):
            assert "Acme & Sons" in form
            assert "ada@example.org" in form

    def test_says_the_same_in_both(self, writer: JinjaLetterWriter, template: LetterTemplate) -> None:
        message = writer.write(a_letter(template))

        head = message.html.index("<body")
        words = _Page(message.html[head:]).words
        for paragraph in message.text.split("\n\n"):
            assert " ".join(paragraph.split()) in " ".join(words.split())

    def test_holds_its_data_literally(self, writer: JinjaLetterWriter, template: LetterTemplate) -> None:
        message = writer.write(a_letter(template, value=NASTY))

        literal = re.sub(r"[\r\n\x1b]", " ", NASTY)
        page = _Page(message.html)
        assert "script" not in page.tags
        assert "49" not in message.text + page.words
        assert "\x1b" not in message.text + message.html + message.subject
        assert "\nBcc" not in message.text + message.html
        assert "Bcc" not in message.subject
        if LETTER_DATA[template]:
            assert literal in message.text
            assert literal in page.words
        assert set(page.links) <= {literal}

    def test_links_where_its_link_leads(self, writer: JinjaLetterWriter, template: LetterTemplate) -> None:
        message = writer.write(a_letter(template))

        links = [LINK] if "link" in LETTER_DATA[template] else []
        assert _Page(message.html).links == links
        assert re.findall(r"^https://\S+$", message.text, re.MULTILINE) == links

    def test_loads_nothing_from_anywhere(self, writer: JinjaLetterWriter, template: LetterTemplate) -> None:
        page = _Page(writer.write(a_letter(template)).html)

        assert page.tags <= {"html", "head", "meta", "title", "body", "div", "p", "a", "br", "span"}

    def test_cannot_be_written_without_its_data(self, writer: JinjaLetterWriter, template: LetterTemplate) -> None:
        with pytest.raises(LetterUnwritable, match="unsealed"):
            writer.write(replace(a_letter(template), data=None))
        if LETTER_DATA[template]:
            with pytest.raises(LetterUnwritable, match="incomplete"):
                writer.write(replace(a_letter(template), data={}))


def test_letters_have_subjects_of_their_own(writer: JinjaLetterWriter) -> None:
    assert len({writer.write(a_letter(template)).subject for template in LetterTemplate}) == len(LetterTemplate)
