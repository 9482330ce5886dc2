"""Survival: which sections a text itself says still bind after termination, and what staff make of that."""

from __future__ import annotations

import pytest
from sqlmodel import Session, select

from lifecycle import history
from lifecycle.db import Database
from lifecycle.documents import store, survival
from lifecycle.documents.publishing import Publication, publish, rehearse
from lifecycle.documents.sections import split
from lifecycle.documents.survival import find
from lifecycle.errors import InvalidInput
from lifecycle.models import Event, SectionRow, Version
from lifecycle.states import DocumentKind, Mode
from tests.conftest import NOW, SHARED, needs_corpus
from tests.helpers import ZONE, published_terms

TITLES = "Use|Fees|Content|Licence|Your content|Disclaimers|Limitation of liability|Indemnity|Governing law|Ending"
HEADINGS = [f"## {n}. {title}\n\nWords of {title}.\n" for n, title in enumerate(TITLES.split("|"), 1)]
GERMAN = "Nutzung|Entgelte|Inhalte|Lizenz|Deine Inhalte|Gewährleistung|Haftung|Freistellung|Recht|Ende"
PARAGRAPHS = [f"## § {n} {title}\n\nWorte zu {title}.\n" for n, title in enumerate(GERMAN.split("|"), 1)]


def proposed(sentence: str, locale: str = "en") -> list[str]:
    """The numbers of the sections that survive by a sentence in the last section, 10."""
    headings = PARAGRAPHS if locale == "de" else HEADINGS
    text = "# Terms\n\n" + "\n".join(headings) + f"\n{sentence}\n"
    numbers = {section.anchor: section.number for section in split(text)}
    return sorted((numbers[anchor].strip("§ .") for anchor in find(text, locale=locale)), key=int)


# --- what the text says


@pytest.mark.parametrize(
    ("sentence", "sections"),
    [
        ("Sections 5, 9 and 10 survive.", "5 9 10"),
        ("Sections 5, 9, and 10 survive any termination of these Terms.", "5 9 10"),
        ("Sections 6 through 9 shall survive expiration.", "6 7 8 9"),
        ("Sections 1–3 and 7 will survive.", "1 2 3 7"),
        ("Section 7 (Limitation of liability), Section 8 (Indemnity) and Section 9 survive.", "7 8 9"),
        ("Upon termination under Section 2, Sections 6 and 7 survive.", "6 7"),
        ("The sections “Indemnity” and “Governing law” survive.", "8 9"),
        ("[Indemnity](#indemnity) survives.", "8"),
        ("This section survives termination.", "10"),
        ("Your obligations under this section remain in full force and effect after termination.", "10"),
        ("Clauses 7 and 8 continue to apply after your account is terminated.", "7 8"),
        (
            "Provisions that by their nature should survive will survive, including disclaimers, indemnity and "
            "limitations of liability.",
            "6 7 8",
        ),
        ("The following survive termination:\n\n- Section 7\n- Indemnity\n- 9", "7 8 9"),
        ("Section 230 of another law survives, as Sections 4 and 5 do.", "4 5"),
    ],
)
def test_sections_are_proposed_that_the_text_says_survive(sentence: str, sections: str) -> None:
    assert proposed(sentence) == sections.split()


@pytest.mark.parametrize(
    ("sentence", "sections"),
    [
        ("Die §§ 5, 7 und 9 überdauern die Beendigung des Vertrags.", "5 7 9"),
        ("Die Ziffern 6 bis 8 bleiben auch nach Beendigung des Vertrags in Kraft.", "6 7 8"),
        ("Nach einer Kündigung gemäß § 2 gelten die §§ 7 und 8 fort.", "7 8"),
        ("Dieser Abschnitt gilt auch nach dem Ende des Vertrags fort.", "10"),
        ("Die Abschnitte 5 sowie 7 bestehen über das Vertragsende hinaus fort.", "5 7"),
        ("Die Abschnitte „Haftung“ und „Freistellung“ bleiben nach der Kündigung bestehen.", "7 8"),
    ],
)
def test_german_texts_say_it_in_german(sentence: str, sections: str) -> None:
    assert proposed(sentence, "de") == sections.split()


@pytest.mark.parametrize(
    ("locale", "sentence"),
    [
        ("en", "If a provision is void, the remaining provisions remain in full force and effect."),
        ("en", "Licences you granted do not survive termination."),
        ("en", "In a merger the surviving entity takes our place."),
        ("en", "You may end your account in the settings."),
        ("de", "Ist eine Bestimmung unwirksam, bleiben die übrigen Bestimmungen wirksam."),
        ("de", "Der Vertrag kann jederzeit zum Ende des Monats gekündigt werden."),
        ("xx", "Sections 5 and 6 survive."),
    ],
)
def test_what_says_nothing_of_survival_proposes_nothing(locale: str, sentence: str) -> None:
    assert proposed(sentence, locale) == []


# --- what staff make of it

LISTING = "# Terms\n\n## 1. Use\n\nBe nice.\n\n## 2. Liability\n\nNone.\n\n## 3. End\n\nSection 2 survives.\n"
BOTH = {"en": LISTING, "de": "# Bedingungen\n\n## 1. Nutzung\n\nSei nett.\n\n## 2. Haftung\n\nKeine.\n"}


def drafted(session: Session, texts: dict[str, str]) -> Version:
    document = store.create_document(session, "terms", title="Terms", kind=DocumentKind.TERMS, now=NOW)
    return store.draft_version(session, document, texts, now=NOW)


def shown(session: Session, version: Version) -> list[tuple[str, str, bool]]:
    return [(one.locale, one.number, one.marked) for one in survival.survivors(session, version)]


def test_a_mark_holds_in_all_languages_and_can_be_taken_back(session: Session) -> None:
    version = drafted(session, BOTH)
    assert shown(session, version) == [("en", "2", False)]
    survival.mark(session, version, "Liability", now=NOW)
    assert shown(session, version) == [("de", "2", True), ("en", "2", True)], "by its number where the title differs"
    survival.mark(session, version, "2", survives=False, locale="de", now=NOW)
    assert shown(session, version) == [("en", "2", True)]


def test_each_mark_is_history_and_the_same_mark_again_is_not(session: Session) -> None:
    version = drafted(session, {"en": LISTING})
    [row] = survival.mark(session, version, "2", now=NOW)
    survival.mark(session, version, "2", now=NOW)
    survival.mark(session, version, "2", survives=False, now=NOW)
    assert [event.verb for event in history.of(session, "section", row.id)] == ["marked", "unmarked"]
    assert session.exec(select(Event).where(Event.thing == "section")).all()[0].actor == "staff"


def test_a_section_that_is_not_there_cannot_be_marked(session: Session) -> None:
    version = drafted(session, BOTH)
    with pytest.raises(InvalidInput, match="no section '9' in any language"):
        survival.mark(session, version, "9", now=NOW)
    with pytest.raises(InvalidInput, match=r"no text in 'fr'\. There are: de, en"):
        survival.mark(session, version, "2", locale="fr", now=NOW)


def test_a_published_version_may_be_marked_for_its_words_stay(database: Database) -> None:
    database.run(published_terms)

    def work(session: Session) -> list[SectionRow]:
        return survival.mark(session, session.get_one(Version, 1), "1", now=NOW)

    assert [row.survives for row in database.run(work)] == [True]
    assert [one.number for one in database.read(lambda s: survival.survivors(s, s.get_one(Version, 1)))] == ["1", "2"]


def test_rehearsing_warns_of_sections_that_are_proposed_and_not_marked(session: Session) -> None:
    version = drafted(session, {"en": LISTING})

    def warned() -> str:
        told = rehearse(session, version, Publication(Mode.NOTICE), per_hour=0, zone=ZONE, now=NOW).warnings
        return "\n".join(told)

    assert "Section 2 (en) seems to survive termination and is not marked: Section 2 survives." in warned()
    assert "`assent document survival terms --version 1 --mark '2'`" in warned()
    survival.mark(session, version, "2", now=NOW)
    assert "survive" not in warned()


def test_what_was_marked_in_the_version_before_is_proposed_in_the_next(session: Session) -> None:
    document, _ = published_terms(session)
    following = store.draft_version(session, document, {"en": BOTH["en"].replace("Section 2 survives.", "")}, now=NOW)
    [found] = survival.survivors(session, following)
    assert (found.number, found.marked, found.why) == ("2", False, "It was marked in version 1.")
    publish(session, following, Publication(Mode.EXPLICIT, notify=False), zone=ZONE, now=NOW)


@needs_corpus
def test_real_texts_are_read_to_the_end_and_few_of_their_sections_proposed() -> None:
    texts = sorted((SHARED / "corpus").rglob("*.md"))[::40]
    for path in texts:
        text = path.read_text("utf-8", errors="replace")
        assert len(find(text, locale="en")) <= max(len(split(text)) // 2, 2), path.name
