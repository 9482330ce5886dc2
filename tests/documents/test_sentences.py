"""Sentences: what can be cited, where a sentence ends in many languages, and that each stands in the body verbatim."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.documents.sentences import ROW, WINDOW, sentences

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus"
needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="../shared/corpus is not here")


def texts(body: str, locale: str = "en") -> list[str]:
    return [sentence.text for sentence in sentences(body, locale=locale)]


# --- what can be cited


def test_sentences_items_and_rows_are_cited_and_headings_are_not():
    body = (
        "# Terms\n\nSetext\n---\n\nWe use what you send. We never sell it.\n\n"
        "* To keep your account\n* To bill you\n\n**A bold line as a heading**\n\n"
        "| Data | Kept for |\n|---|---|\n| Server logs | thirty days |\n"
    )
    assert texts(body) == [
        "We use what you send.",
        "We never sell it.",
        "To keep your account",
        "To bill you",
        "Server logs | thirty days",
    ]


@pytest.mark.parametrize("body", ["", "# Only a heading\n", "***", "\n \n", "<!-- -->", "\ufeff"])
def test_a_text_without_sentences_has_none(body):
    assert texts(body) == []


def test_a_long_row_is_cited_by_its_sentences():
    second = "Then we " + "really " * (ROW // 7) + "delete it."
    assert texts(f"| a | b |\n|---|---|\n| Logs | We keep it. {second} |\n") == ["Logs", "We keep it.", second]


def test_raw_html_is_cut_at_its_block_tags():
    assert texts("<table><tr><td>We keep logs.</td><td>For <b>thirty</b> days only.</td></tr></table>") == [
        "We keep logs.",
        "For <b>thirty</b> days only.",
    ]


def test_paragraphs_inside_quotes_and_nested_lists_begin_behind_their_markers():
    assert texts("> We may end this.\n> You may too.\n\n1. * Only with notice\n\n   Second part here.\n") == [
        "We may end this.",
        "You may too.",
        "Only with notice",
        "Second part here.",
    ]


def test_a_sentence_cut_out_of_emphasis_carries_no_half_mark():
    assert texts("**We never sell data. We share it with processors.** More follows here.") == [
        "We never sell data.",
        "We share it with processors.",
        "More follows here.",
    ]


# --- where sentences end


@pytest.mark.parametrize(
    ("locale", "sentence"),
    [
        ("en", "We use processors, e.g. Google Analytics, to count visits."),
        ("en", "This applies to OpenRouter, Inc. Services and others."),
        ("en", "See No. 5 and Art. 5 of the schedule."),
        ("en", "Laws of the U.S. Congress apply here."),
        ("en", "Ask Dr. Smith or Mrs. Jones about it."),
        ("en", r"1\. This clause begins with its number."),
        ("en", "**2.** This clause begins with its number."),
        ("en", "It costs 3.50 dollars per month."),
        ("en", "Write to legal@example.com. or not at all."),
        ("en", "See https://example.com/a.b?c=d. and so on."),
        ("en", "Read our [Terms. And conditions](https://example.com/a.b) first."),
        ("en", "Type `stop. Now` to end it."),
        ("en", "Wait… there is more to it."),
        ("de", "Wir nutzen Dienste, z. B. Google, zum Zählen."),
        ("de", "Wir nutzen Dienste, z.B. Google, zum Zählen."),
        ("de", "Das gilt d. h. Daten werden gelöscht."),
        ("de", "Die Muster GmbH. Berlin haftet nicht."),
        ("de", "Das gilt gem. Art. 6 Abs. 1 lit. f DSGVO."),
        ("de", "Das gilt ab dem 30. Juni 2023 für alle."),
        ("de", "Das gilt bis zum 1. Januar für alle."),
        ("de", "Siehe Nr. 7 sowie ggf. Anhang und evtl. Anlagen."),
        ("fr", "Conformément à l'art. 5 de la loi n° 78-17, M. Dupont accepte."),
        ("es", "Véase el art. 5 y el Sr. García, p. ej. su nombre en EE. UU. o fuera."),
        ("it", "Vedi l'art. 5 del D.Lgs. n. 196/2003, ad es. il Sig. Rossi."),
        ("pt-BR", "Veja o art. 5º da Lei n. 8.078, p. ex. o Sr. Silva."),
        ("pl", "Zob. art. 5 ust. 1 pkt 2, np. w 2020 r. oraz nr. 5."),
        ("ru", "См. п. 5 ст. 6 Закона, т. е. имя и др. сведения."),
        ("el", "Βλ. άρθρο 5 παρ. 2, π.χ. όνομα."),
        ("sl", "Glej čl. 5, npr. ime, od 1. januarja 2024 pri družbi d.o.o. v Ljubljani."),
        ("da", "Jf. art. 6, stk. 1, f.eks. navn, den 1. januar 2024."),
        ("lv", "Skat. 5. punktu, piem. vārdu, no 2024. gada 1. janvāra."),
        ("nl", "Zie art. 5, bijv. uw naam, o.a. bij J. Jansen B.V. in Utrecht."),
        ("hu", "Lásd a 2016. évi törvény 5. cikkét, pl. nevet."),
        ("ja", "「はい。」と答えた。"),
    ],
)
def test_a_stop_inside_a_sentence_does_not_end_it(locale, sentence):
    assert texts(sentence, locale) == [sentence]


@pytest.mark.parametrize(
    ("locale", "first", "second"),
    [
        ("en", "We collect no data from children under 13.", "If we learn of it, we delete it."),
        ("en", "You may object within 30 days.", "After that it binds you."),
        ("en", "Do you sell my data?", "No, we never do."),
        ("en", "Stop using it!", "It ends at once."),
        ("en", "(We may end this.)", "You may end it too."),
        ("en", "We call it “the Service.”", "You may use it."),
        ("en", "Read the [terms](https://example.com).", "They bind you all."),
        ("en", "[Read the terms.](https://example.com)", "They bind you all."),
        ("en", "**Note.**", "They bind you all."),
        ("en", "We share data with Google etc.", "They may not use it."),
        ("en", "Ask us for the ref. no.", "We will send it."),
        ("de", "Nutzer müssen 16 sein, nicht unter 13.", "Wenn wir davon erfahren, löschen wir."),
        ("de", "Wir löschen alles.", "Ärgerlich ist das nicht."),
        ("fr", "Acceptez-vous ?", "Vous pouvez refuser."),
        ("es", "Puede negarse.", "¿Acepta usted?"),
        ("it", "Puoi rifiutare ecc.", "È un tuo diritto."),
        ("pt-BR", "Você pode recusar.", "É seu direito."),
        ("pl", "Możesz odmówić itd.", "Łatwo to zrobić."),
        ("sl", "Lahko zavrnete.", "Šele potem velja."),
        ("lv", "Jūs varat atteikties.", "Šis ir svarīgi."),
        ("da", "Du kan afvise.", "Øvrige vilkår gælder."),
        ("el", "Συμφωνείτε;", "Ναι, συμφωνώ."),
        ("ru", "Мы не продаём данные.", "Вы можете уйти."),
        ("ar", "هل توافق؟", "نعم، أوافق."),
        ("hi", "हम डेटा नहीं बेचते।", "आप जा सकते हैं।"),
        ("ka", "ჩვენ არ ვყიდით მონაცემებს.", "შეგიძლიათ წახვიდეთ."),
        ("zh-CN", "我们不出售数据。", "您可以随时离开。"),
        ("ja", "私たちはデータを販売しません。", "いつでも退会できます。"),
        ("", "We never sell it.", "You may go."),
        ("xx", "We never sell it.", "You may go."),
    ],
)
def test_a_stop_between_sentences_ends_the_first(locale, first, second):
    space = "" if first.endswith("。") else " "
    assert texts(f"{first}{space}{second}", locale) == [first, second]


def test_a_sentence_may_run_over_lines_of_any_ending():
    assert texts("We never\r\nsell data.\rAsk us\nabout it.") == ["We never\r\nsell data.", "Ask us\nabout it."]


def test_a_very_long_line_is_cut_at_its_sentences_all_the_same():
    sentence = "We keep " + "x" * 90 + "."
    body = " ".join([sentence] * (3 * WINDOW // len(sentence)))
    assert set(texts(body)) == {sentence}
    assert "".join(texts("y" * 3 * WINDOW)) == "y" * 3 * WINDOW


# --- every sentence stands in the body

MARKUP = (
    "# ¦- ¦1. ¦> ¦\n¦\r\n¦\r¦\n\n¦\t¦    ¦| a | b c d |\n¦|-|-|\n¦<div>\n¦</p>¦"
    "\x0c¦\x1f¦\x85¦\u2028¦\xa0¦\ufeff¦```\n¦**¦_¦`¦\\¦. ¦."
    "¦? ¦。¦z. B. ¦word ¦We sell data. ¦[a. B](c)¦[¦](¦13¦Ä¦<b>¦]"
)
markup = st.sampled_from(MARKUP.split("¦"))
locales = st.sampled_from(["en", "de", "ja", "zh-CN", "ar", "el", "", "xx"])


@given(st.lists(markup | st.text(max_size=4)).map("".join), locales)
def test_every_sentence_is_verbatim_and_none_overlaps(body, locale):
    found = sentences(body, locale=locale)
    for sentence in found:
        assert sentence.text == body[sentence.start : sentence.end] != ""
        assert sentence.text == sentence.text.strip()
    assert all(a.end <= b.start for a, b in pairwise(found))


@given(st.lists(st.sampled_from(["We keep it.", "You may go!", "Is it so?", "13 is the age."]), min_size=1))
def test_plain_sentences_come_back_one_by_one(parts):
    assert texts(" ".join(parts)) == parts


@needs_corpus
def test_sentences_of_real_policies_are_verbatim():
    for path in sorted(CORPUS.rglob("*.md"))[::5]:
        body = path.read_bytes().decode("utf-8")
        found = sentences(body, locale="en")
        assert all(sentence.text == body[sentence.start : sentence.end] for sentence in found), path
        assert all(a.end <= b.start for a, b in pairwise(found)), path
