"""A new text next to the one before it: noise is named and proposed as editorial, and what gives pause is said."""

import pytest
from sqlmodel import Session

from lifecycle.documents import store
from lifecycle.documents.losses import lost_share
from lifecycle.documents.publishing import Publication, publish, rehearse
from lifecycle.errors import RuleRefused
from lifecycle.models import Document, Version
from lifecycle.states import Mode
from tests.helpers import NOW, ZONE, add_user

TEXT = """# Terms

Last updated: 1 May 2024

You may use the service as long as you are kind to the others who use it, and pay what you owe on the first of each
month. Either side may end the agreement with a notice of thirty days, in writing, see [how](https://a.example/how).
"""


@pytest.fixture
def document(session: Session) -> Document:
    document = store.create_document(session, "terms", title="Terms", now=NOW)
    publish(session, drafted(session, document, TEXT), Publication(Mode.NOTICE, notify=False), zone=ZONE, now=NOW)
    add_user(session)
    return document


def drafted(session: Session, document: Document, text: str, **options: bool) -> Version:
    return store.draft_version(session, document, {"en": text}, now=NOW, **options)  # type: ignore[arg-type]


def warnings(session: Session, version: Version, mode: Mode = Mode.NOTICE) -> str:
    found = rehearse(session, version, Publication(mode), per_hour=0, zone=ZONE, now=NOW)
    return "\n".join(found.warnings)


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        ("# Terms", "Terms\n=====", "Only the formatting changed; the policy says the same."),
        ("a.example", "b.example", "Only where links lead changed"),
        ("1 May 2024", "2 May 2025", "Only the printed date changed"),
        ("# Terms", "Accept all cookies\n\n# Terms", "Only the page's furniture"),
    ],
)
def test_noise_is_named_and_editorial_proposed(session: Session, document: Document, was: str, now: str, said: str):
    found = warnings(session, drafted(session, document, TEXT.replace(was, now)))
    assert f"en: {said}" in found
    assert "mode `editorial` would do, and nobody would get mail" in found


def test_with_the_proposed_mode_nobody_gets_mail_and_nothing_more_is_proposed(session: Session, document: Document):
    version = drafted(session, document, TEXT.replace("a.example", "b.example"))
    assert "would do" not in warnings(session, version, Mode.EDITORIAL)
    rehearsal = rehearse(session, version, Publication(Mode.EDITORIAL), per_hour=0, zone=ZONE, now=NOW)
    assert rehearsal.by_email == 0


def test_back_to_an_earlier_text_is_named_with_its_version(session: Session, document: Document):
    second = drafted(session, document, TEXT.replace("thirty", "sixty").replace("1 May", "2 May"))
    publish(session, second, Publication(Mode.NOTICE, notify=False), zone=ZONE, now=NOW)
    found = warnings(session, drafted(session, document, TEXT))
    assert "This is the text of version 1 again, word for word." in found
    assert "mode `editorial` would do" in found


def test_news_is_not_called_noise(session: Session, document: Document):
    found = warnings(session, drafted(session, document, TEXT.replace("thirty", "sixty").replace("1 May", "2 May")))
    assert "would do" not in found
    assert "still says" not in found


def test_a_text_that_changed_under_its_old_date_is_warned_of(session: Session, document: Document):
    found = warnings(session, drafted(session, document, TEXT.replace("thirty", "sixty")))
    assert "The text changed, but it still says: 'Last updated: 1 May 2024'" in found


def test_a_draft_that_lost_most_of_its_text_is_stopped(session: Session, document: Document):
    with pytest.raises(RuleRefused, match=r"lacks \d+% of the words of the version before it .*--allow-loss"):
        drafted(session, document, "# Terms\n\nPage not found.\n")


def test_a_draft_may_lose_its_text_on_purpose(session: Session, document: Document):
    assert drafted(session, document, "# Terms\n\nPage not found.\n", allow_loss=True).number == 2


def test_publishing_such_a_version_has_to_be_confirmed_too(session: Session, document: Document):
    version = drafted(session, document, "# Terms\n\nPage not found.\n", allow_loss=True)
    with pytest.raises(RuleRefused, match="The en text of version 2 lacks"):
        publish(session, version, Publication(Mode.NOTICE), zone=ZONE, now=NOW)
    assert version.published_at is None
    publish(session, version, Publication(Mode.NOTICE, allow_loss=True), zone=ZONE, now=NOW)
    assert version.published_at == NOW


def test_what_counts_as_lost():
    long = "word " * 50 + "other " * 50
    assert lost_share(long, long) == 0
    assert lost_share(long, "WORD " * 50) == 0.5
    assert lost_share(long, "") == 1
    assert lost_share("too short to tell", "") == 0
