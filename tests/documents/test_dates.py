"""Dates in a text: where they stand, what they are said to be, how they are read in many languages, and when not."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from babel.dates import format_date
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import text_dates as gold
from lifecycle.documents.dates import DateKind, disagreements, offered, text_dates
from lifecycle.documents.month_names import languages

MAY = date(2024, 5, 12)
CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus"
needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="../shared/corpus is not here")


# --- what is a date of the text


@pytest.mark.parametrize(
    ("locale", "line", "kind"),
    [
        ("en", "Last updated: May 12, 2024", "updated"),
        ("en", "**Last Updated:** 12th of May 2024.", "updated"),
        ("en", "This policy was last modified on 12 May 2024 and replaces all others.", "updated"),
        ("en", "# Terms, effective May 12th, 2024", "effective"),
        ("en", "Effective Date: 2024-05-12", "effective"),
        ("en", "| Version | 3 |\n|---|---|\n| Last revised | 12 May 2024 |", "updated"),
        ("en", "Last updated\n\n12 May 2024", "updated"),
        ("en", "12 May 2024", "printed"),
        ("en-GB", "_12/05/2024_", "printed"),
        ("en-US", "_05/12/2024_", "printed"),
        ("de", "Stand: 12.05.2024", "updated"),
        ("de", "Stand: 12\\. Mai 2024", "updated"),
        ("de", "Gültig ab Sonntag, 12.\xa0Mai 2024", "effective"),
        ("fr", "Dernière mise à jour : le 12 mai 2024", "updated"),
        ("fr", "Date d’effet\xa0: dimanche 12 mai 2024", "effective"),
        ("es", "Última actualización: 12 de mayo de 2024", "updated"),
        ("it", "Ultimo aggiornamento: 12/05/2024", "updated"),
        ("pt-BR", "Data de vigência: 12 de maio de 2024", "effective"),
        ("nl", "Laatst bijgewerkt op 12 mei 2024", "updated"),
        ("pl", "Obowiązuje od 12 maja 2024 r.", "effective"),
        ("cs", "*Účinné od 12. května 2024*", "effective"),
        ("hu", "Hatályos: 2024. május 12-étől", "effective"),
        ("lv", "Spēkā no 2024. gada 12. maija", "effective"),
        ("fi", "Päivitetty 12. toukokuuta 2024", "updated"),
        ("el", "Τελευταία Ενημέρωση: 12 Μαΐου 2024", "updated"),
        ("ru", "Дата вступления в силу: 12 мая 2024 г.", "effective"),
        ("tr", "Yürürlük Tarihi: 12 Mayıs 2024 Pazar", "effective"),
        ("ar", "آخر تحديث: ١٢ مايو ٢٠٢٤", "updated"),
        ("he", "עודכן ב-12 במאי 2024", "updated"),
        ("hi", "12 मई 2024 से लागू", "effective"),
        ("th", "ปรับปรุงล่าสุด 12 พฤษภาคม 2567", "updated"),
        ("vi", "Có hiệu lực từ ngày 12 tháng 5 năm 2024", "effective"),
        ("vi", "Cập nhật lần cuối: 12 Tháng Năm năm 2024", "updated"),
        ("ja", "最終更新日：2024年5月12日", "updated"),
        ("ja", "令和6年5月12日 制定", "updated"),
        ("ko", "시행일: 2024년 5월 12일", "effective"),
        ("zh-CN", "最后更新：2024 年 5 月 12 日", "updated"),
        ("ar", "تاريخ آخر تحديث: 12 أيار/مايو 2024", "updated"),
        ("et", "Kehtib alates 12. maist 2024", "effective"),
        ("fa", "تاریخ به‌روزرسانی: ۱۲ مه ۲۰۲۴", "updated"),
        ("sr", "Последња измена: 12. мај 2024.", "updated"),
        ("pl", "**Regulamin z dnia 12.05.2024 r.**", "updated"),
        ("ro", "May 12, 2024", "printed"),  # a text that was not translated whole
        ("en", "Zuletzt aktualisiert am 12. Mai 2024", "updated"),  # a text whose language is named wrongly
    ],
)
def test_the_date_of_a_text_is_found_with_what_it_is_said_to_be(locale, line, kind):
    (found,) = text_dates(f"# Terms\n\n{line}\n\nWe sell nothing.\n", locale=locale)
    assert (found.on, found.kind) == (MAY, kind)


@pytest.mark.parametrize(
    "line",
    [
        "The law of 12 May 2024 applies.",
        "[12 May 2024](https://example.com/old)",
        "Effective from May 2021 until May 12, 2024",
        "Call us: 05.54.67.12.60",
        "Version 1.2.3",
        "v2.12.2023",
        "Das BDSG in der Fassung vom 12. Mai 2024 gilt.",
        "Regulation (EU) 2016/679, effective 12 May 2024",
        "Directive 95/46/EC as amended on 12 May 2024",
        "© 2024 Example Ltd",
        "Last updated: May 2024",
        '{: datetime="2024-05-12" }',
        "As the Data Protection Act of the country where you live, in force since May 12, 2024, and any law that "
        "takes its place demand it of us and of everyone who works on our behalf, we keep a record for ten years.",
    ],
)
def test_other_dates_are_none_of_the_text(line):
    assert text_dates(f"{line}\n\nWe sell nothing.\n", locale="en") == []


def test_a_date_deep_in_the_text_needs_its_cue_at_the_beginning_of_a_short_line():
    body = "Words.\n\n" * 30 + "{}\n\n" + "Words.\n\n" * 30
    assert offered(body.format("Last updated: 12 May 2024"), locale="en") == MAY
    assert offered(body.format("12 May 2024"), locale="en") is None
    assert offered(body.format("You may object to what was last updated on 12 May 2024"), locale="en") is None


def test_a_cue_is_surer_than_a_bare_date():
    body = "1 January 2020\n\nEffective 12 May 2024\n"
    assert [found.kind for found in text_dates(body, locale="en")] == [DateKind.EFFECTIVE, DateKind.PRINTED]


@pytest.mark.parametrize("line", ["Last updated 05/12/24", "15.04.14", "Stand: 31. Februar 2024", "24 June, 201614"])
def test_what_cannot_be_read_for_certain_is_not_offered_but_warned_of(line):
    assert offered(line, locale="de") is None
    (warning,) = disagreements(line, locale="de", on=[MAY])
    assert line in warning


@pytest.mark.parametrize(
    ("locale", "day"), [("en-US", date(2024, 5, 6)), ("en-GB", date(2024, 6, 5)), ("fr", date(2024, 6, 5))]
)
def test_the_language_says_which_number_is_the_day(locale, day):
    assert offered("05/06/2024", locale=locale) == day
    assert offered("25/06/2024", locale=locale) == date(2024, 6, 25)


def test_a_date_on_record_is_not_warned_of_and_another_is():
    body = "Effective 12 May 2024\n"
    assert disagreements(body, locale="en", on=[date(2020, 1, 1), MAY]) == []
    assert disagreements(body, locale="en", on=[date(2024, 5, 13)]) == [
        "The text says “Effective 12 May 2024” (2024-05-12), but on record is 2024-05-13."
    ]


def test_the_place_of_a_date_is_its_line():
    body = "# Terms\r\n*Stand: 12.05.2024*\r\nText."
    (found,) = text_dates(body, locale="de")
    assert (body[found.start : found.end], found.line) == ("*Stand: 12.05.2024*", "Stand: 12.05.2024")


# --- any language

# These write days, months or years in ways that are not read.
NOT_READ = {("mn", "full"), ("mn", "long"), ("cy", "full")}
written = st.tuples(st.sampled_from(sorted(languages())), st.sampled_from(["full", "long"]))


@given(written.filter(lambda pair: pair not in NOT_READ), st.dates(date(1995, 1, 1), date(2090, 1, 1)))
def test_dates_as_each_language_writes_them_are_read(how, day):
    locale, length = how
    assert offered(format_date(day, length, locale=locale), locale=locale.replace("_", "-")) == day


@given(
    st.sampled_from(sorted(languages())),
    st.dates(date(1995, 1, 1), date(2090, 1, 1)),
    st.sampled_from(["medium", "short"]),
)
def test_short_forms_are_read_rightly_or_not_at_all(locale, day, length):
    assert offered(format_date(day, length, locale=locale), locale=locale.replace("_", "-")) in (day, None)


@given(
    st.text() | st.text("0123456789/.-, \nMay年月日#*last updated:"),
    st.sampled_from(["en", "de", "ja", "", "xx", "no-such"]),
)
def test_any_text_may_be_searched(body, locale):
    for found in text_dates(body, locale=locale):
        assert found.line in body[found.start : found.end]


# --- real texts


@needs_corpus
def test_dates_of_real_texts_are_right_and_disagreements_warned_of():
    """On pairs that agree at least 97 % right and at most 1 % wrong; a warning on every pair that does not."""
    pairs = json.loads((CORPUS / "gold_dates_mozilla.json").read_text("utf-8"))
    total = gold.judge(pairs)["all"]
    assert total.right >= 0.97 * total.agreeing
    assert total.wrong <= 0.01 * total.agreeing
    assert total.warned == total.disagreeing > 0


@needs_corpus
def test_no_real_policy_dates_itself_long_after_the_day_it_was_recorded():
    for document in json.loads((CORPUS / "index.json").read_text("utf-8"))["documents"]:
        for version in document["versions"][::3]:
            body = (CORPUS / version["file"]).read_bytes().decode("utf-8")
            day = offered(body, locale=document["lang"])
            recorded = date.fromisoformat(version["date"][:10])
            assert day is None or day <= recorded + timedelta(days=120), version["file"]
