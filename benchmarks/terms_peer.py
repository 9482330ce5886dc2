"""django-termsandconditions 2.0, asked in turns by `benchmarks.standing`; run by the Python that has it installed.

    python terms_peer.py FILE USERS DOCUMENTS VERSIONS

Makes an SQLite database at FILE, if there is none, with the users, terms and acceptances that the benchmark gives
Assent. Then answers each line of user numbers on standard input with the seconds that each check took.
"""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction


def start(file: Path) -> None:
    options = {"init_command": "PRAGMA journal_mode=WAL; PRAGMA mmap_size=2147418112; PRAGMA cache_size=-65536"}
    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": file, "OPTIONS": options}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sites",
            "termsandconditions",
        ],
        SITE_ID=1,
        USE_TZ=True,
    )
    django.setup()


NUMBERS = "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < %s)"
USERS = (
    "INSERT INTO auth_user (id, username, password, first_name, last_name, email, is_superuser, is_staff, is_active, "
    f"date_joined) {NUMBERS} SELECT i, 'user' || i, '', '', '', '', 0, 0, 1, %s FROM s"
)
ACCEPTED = (
    f"INSERT INTO termsandconditions_usertermsandconditions (user_id, terms_id, date_accepted) {NUMBERS} "
    "SELECT i, %s, %s FROM s WHERE (i * 61 + %s * 40503) %% 100 < %s"
)


def settle(users: int, documents: int, versions: int) -> None:
    """The same acceptances by the formula of `benchmarks.standing`; of each document the last version counts."""
    from termsandconditions.models import TermsAndConditions

    call_command("migrate", verbosity=0)
    now = datetime.now(UTC)
    # All terms first: whenever one is saved, the package walks through all acceptances.
    terms = [
        TermsAndConditions.objects.create(
            slug=f"doc{k // versions}",
            name=f"Document {k // versions}",
            version_number=k % versions + 1,
            text="Be nice.",
            date_active=now - timedelta(days=500 - k),
        )
        for k in range(documents * versions)
    ]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(USERS, [users, now])
        for k, each in enumerate(terms):
            cursor.execute(ACCEPTED, [users, each.pk, now, k + 1, 60 if k % 2 else 90])
        cursor.execute("ANALYZE")


def seconds(number: int) -> float:
    from django.contrib.auth.models import User
    from termsandconditions.models import TermsAndConditions

    user = User(id=number, username=f"user{number}")
    begun = perf_counter()
    list(TermsAndConditions.get_active_terms_not_agreed_to(user))
    return perf_counter() - begun


def main() -> None:
    file, *size = Path(sys.argv[1]), *map(int, sys.argv[2:])
    made = file.exists()
    start(file)
    if not made:
        settle(*size)
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        print(json.dumps([seconds(number) for number in json.loads(line)]), flush=True)


if __name__ == "__main__":
    main()
