"""A small operator's texts, as long, as wide and as hostile as texts get."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlmodel import Session, col, select

from lifecycle import links, users
from lifecycle.db import Database
from lifecycle.documents import store
from lifecycle.documents.publishing import Publication, publish, withdraw
from lifecycle.models import Engagement, User, Version
from lifecycle.settings import Settings
from lifecycle.states import Mode
from tests.conftest import NOW
from tests.helpers import ZONE, add_user

WIDE = """
| Data | Kept for | Why it is kept for that long | Who may look at it |
| --- | --- | --- | --- |
| Prompts | 30 days | Finding faults | Support |

    assent document compare privacy 1 2 --with-a-long-option and-a-value-that-does-not-fit-on-a-phone

https://policies.example/a/very/long/address/which/has/no/blank/in/it/at/all/and/goes/on/and/on/and/on
"""
SECTIONS = [f"## {n}. Part {n}\n\n{'Words that fill the page. ' * 40}\n" for n in range(1, 10)]
OLD = "# Privacy\n\n" + "\n".join(SECTIONS) + "\n## 10. Logs\n\nWe keep logs for 90 days.\n"
NEW = OLD.replace("90 days", "30 days") + f"\n## 11. Tables\n{WIDE}"
GERMAN = "# Datenschutz\n\n## 1. Verantwortlicher\n\nWir.\n\n## 2. Donaudampfschifffahrtsgesellschaftskapitän\n\nEr.\n"

HOSTILE = """# <script>alert("title")</script>

<script>alert("block")</script>

<img src=x onerror=alert("image")> <a href="javascript:alert('raw')" onclick="alert(1)">raw</a>

[link](javascript:alert('link')) [data](data:text/html,<script>alert(1)</script>) <javascript:alert('auto')>

![pixel](https://elsewhere.example/pixel.gif) <iframe src="https://elsewhere.example/"></iframe>

<style>body { display: none }</style> <base href="https://elsewhere.example/"> <svg onload=alert(1)>

## 1. "><script>alert("heading")</script> {#x"onmouseover=alert(1)}

</section></article></main><script>alert("escape")</script> {{ 7 * 7 }}

> # A quoted heading

# A second title
"""
CRUEL = "<img src=x onerror=alert('name')>"


@dataclass
class World:
    """The texts and people behind the pages."""

    settings: Settings
    database: Database
    url: str = ""

    def answer_page(
        self, user: str = "ada", slug: str = "privacy", number: int = 2, age: timedelta = timedelta(0)
    ) -> str:
        def ids(session: Session) -> tuple[int, int]:
            version = store.version(session, store.document(session, slug), number)
            return users.user(session, user).id, version.id

        token = links.answer_token(self.settings, *self.database.read(ids), now=NOW - age)
        return f"{self.url}/answer/{token}"

    def answers(self, user: str = "ada") -> list[str]:
        """What is on record of a user, oldest first."""

        def kinds(session: Session) -> list[str]:
            of_user = select(Engagement).join(User, col(User.id) == Engagement.user_id).where(User.external_id == user)
            return [fact.kind.value for fact in session.exec(of_user.order_by(col(Engagement.id)))]

        return self.database.read(kinds)

    def pages(self) -> dict[str, str]:
        """Every kind of page, by what it is."""
        paths = {
            "index": "/",
            "version": "/privacy",
            "section": "/privacy#logs",
            "german version": "/privacy/2?locale=de",
            "old version": "/privacy/1",
            "withdrawn version": "/withdrawn/2",
            "history": "/withdrawn/history",
            "comparison": "/privacy/compare/1/2",
            "hostile version": "/hostile",
            "hostile comparison": "/hostile/compare/1/2",
            "not found": "/nope",
            "forged link": "/answer/WzEsMV0.aaaa.bbbb",
        }
        answers = {
            "question": self.answer_page(),
            "question in German": self.answer_page("gerd"),
            "objection": self.answer_page("ada", "cookies", 1),
            "hostile question": self.answer_page(CRUEL, "hostile"),
        }
        return {name: self.url + path for name, path in paths.items()} | answers


def build(session: Session) -> None:
    add_user(session)
    add_user(session, "gerd", locale="de")
    users.upsert(session, CRUEL, email="cruel@example.com", now=NOW)
    publish_one(session, "privacy", {"en": OLD, "de": GERMAN.replace("Er.", "Sie.")}, Mode.NOTICE)
    changes = {"en": ["Logs are kept for 30 days."], "de": ["Protokolle werden 30 Tage aufbewahrt."]}
    publish_one(session, "privacy", {"en": NEW, "de": GERMAN}, Mode.EXPLICIT, changes)
    publish_one(session, "cookies", {"en": "# Cookies\n\nTwo.\n"}, Mode.SILENCE)
    publish_one(session, "layered", {"en": "# Layered\n\nOne.\n"}, Mode.EXPLICIT)
    publish_one(session, "layered", {"en": "# Layered\n\nTwo.\n"}, Mode.SILENCE)
    publish_one(session, "hostile", {"en": "# Mild\n\nText.\n"}, Mode.NOTICE)
    publish_one(session, "hostile", {"en": HOSTILE}, Mode.EXPLICIT, {"en": [CRUEL, "[x](javascript:alert(1))"]}, CRUEL)
    publish_one(session, "withdrawn", {"en": "No heading at all.\n"}, Mode.NOTICE)
    last = publish_one(session, "withdrawn", {"en": "# One\n\n# Two\n"}, Mode.NOTICE)
    withdraw(session, last, reason=CRUEL, now=NOW)


def publish_one(
    session: Session,
    slug: str,
    texts: Mapping[str, str],
    mode: Mode,
    changes: Mapping[str, Sequence[str]] | None = None,
    title: str = "",
) -> Version:
    """The next version of a document, in force at once; nobody is told."""
    known = {document.slug: document for document in store.documents(session)}
    document = known.get(slug) or store.create_document(session, slug, title=slug.title(), now=NOW)
    titles = {"en": title} if title else None
    version = store.draft_version(session, document, texts, titles=titles, changelogs=changes, now=NOW)
    return publish(session, version, Publication(mode, notify=False, deadline_days=14), zone=ZONE, now=NOW)
