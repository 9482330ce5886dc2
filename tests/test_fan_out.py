"""Publishing writes no row for each user: what a version asks of whom is derived. Telling writes the notices owed."""

from sqlalchemy import text
from sqlmodel import Session

from lifecycle import standing
from lifecycle.db import Database
from lifecycle.documents import store
from lifecycle.documents.publishing import Publication, publish
from lifecycle.inserting import insert_once
from lifecycle.models import User
from lifecycle.notices import campaigns
from lifecycle.states import Mode
from tests.helpers import NOW, ZONE, published_terms

USERS = 2000


def rows(database: Database) -> dict[str, int]:
    with database.engine.connect() as connection:
        names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'")).scalars().all()
        return {name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in names}


def test_a_version_that_everyone_must_answer_writes_no_row_for_each_of_them_but_the_notices_owed(
    sqlite: Database,
) -> None:
    sqlite.run(published_terms)
    facts = {"locale": "", "time_zone": "", "created_at": NOW}
    everyone = [{"external_id": f"u{n}", "email": f"u{n}@example.com", **facts} for n in range(USERS)]
    sqlite.run(insert_once, User, everyone)
    draft = sqlite.run(
        lambda s: store.draft_version(s, store.document(s, "terms"), {"en": "# Terms\n\nNew.\n"}, now=NOW)
    )
    before = rows(sqlite)
    must = Publication(Mode.EXPLICIT, deadline_days=14)
    sqlite.run(lambda s: publish(s, s.merge(draft), must, zone=ZONE, now=NOW))
    published = rows(sqlite)
    grown = {name: published[name] - before[name] for name in published if published[name] != before[name]}
    assert set(grown) <= {"events", "campaigns"}
    assert sum(grown.values()) <= 5, "however many users there are"
    assert standing.check(sqlite, "u7", zone=ZONE, now=NOW).documents[0].due_version == 2

    def plan(session: Session) -> int:
        return sum(campaigns.plan_chunk(session, one, now=NOW) for one in campaigns.open_campaigns(session, now=NOW))

    while sqlite.run(plan):
        pass
    planned = rows(sqlite)
    told = {name: planned[name] - published[name] for name in planned if planned[name] - published[name] > 10}
    assert told == {"notices": USERS}
