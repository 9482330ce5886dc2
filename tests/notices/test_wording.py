"""The operator's own wording: places and nothing else, what must be said stays, and no value gets out of its place."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle import app as composition
from lifecycle.errors import TemplateError
from lifecycle.notices import preview, samples, wording
from lifecycle.notices.rendering import Renderer
from lifecycle.states import Channel, Initiator, Purpose

PUBLISHED = """Subject: {document}: new version {number}

Dear customer {external_id},

{opening}

{changes}

{meaning}

Call [our desk](https://acme.example/help) or [read it]({url}). {{braces}} stay.

{links}
"""
ENDED = """Subject: Your access ends on {effective_on}

{opening}

{reason}

{facts}

{grounds}

{automated}

{exception}

{redress}

{surviving}
"""
P = Purpose


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "wording" / "en").mkdir(parents=True)
    return tmp_path / "wording"


def worded(folder: Path, text: str, purpose: Purpose = P.VERSION_PUBLISHED, locale: str = "en") -> Renderer:
    (folder / locale).mkdir(exist_ok=True)
    (folder / locale / f"{purpose.value}.md").write_text(text, "utf-8")
    return Renderer(folder)


def test_a_wording_takes_the_place_of_the_shipped_one_and_keeps_what_must_be_said(folder: Path) -> None:
    mail = worded(folder, PUBLISHED).render(P.VERSION_PUBLISHED, samples.sample(P.VERSION_PUBLISHED), locale="en")
    assert mail.subject == "Terms of Service: new version 2"
    for said in (
        "Dear customer user-1,",
        "What changes\n- Prompts are no longer logged",
        "Please accept or decline version 2",
        f"our desk: https://acme.example/help or read it: {samples.URL}/terms/2. {{braces}} stay.",
        "Accept or decline version 2: https://policies.example.com/answer/sample-token",
        "You get this mail because of your account user-1 at Example Ltd.",
    ):
        assert said in mail.text, said
    assert '<a href="https://acme.example/help"' in mail.html


def test_only_the_language_and_the_mail_it_is_for_are_reworded(folder: Path) -> None:
    own, shipped = worded(folder, PUBLISHED), Renderer()
    values = samples.sample(P.VERSION_PUBLISHED)
    for purpose, locale in ((P.VERSION_PUBLISHED, "de"), (P.REINSTATED, "en")):
        sample = samples.sample(purpose, locale=locale)
        assert own.render(purpose, sample, locale=locale) == shipped.render(purpose, sample, locale=locale)
    discord = Channel.DISCORD
    assert own.render(P.VERSION_PUBLISHED, values, locale="en", channel=discord) == shipped.render(
        P.VERSION_PUBLISHED, values, locale="en", channel=discord
    )


def test_a_termination_is_worded_where_the_provider_ends_it_and_names_all_that_the_law_asks_for(folder: Path) -> None:
    own = worded(folder, ENDED, P.TERMINATION_NOTICE)
    values = samples.sample(P.TERMINATION_NOTICE)
    mail = own.render(P.TERMINATION_NOTICE, values, locale="en")
    for said in ("Access was resold.", "214 other companies", "You do not resell access.", "No automated means", "six"):
        assert said in mail.text
    left = values | {"initiated_by": Initiator.USER}
    assert own.render(P.TERMINATION_NOTICE, left, locale="en") == Renderer().render(
        P.TERMINATION_NOTICE, left, locale="en"
    )


@pytest.mark.parametrize("block", ["reason", "facts", "grounds", "redress", "automated", "surviving", "opening"])
def test_nothing_that_the_law_asks_for_can_be_left_out(folder: Path, block: str) -> None:
    with pytest.raises(TemplateError, match=rf"en/termination_notice\.md: it leaves out \{{{block}"):
        worded(folder, ENDED.replace(f"{{{block}}}\n", ""), P.TERMINATION_NOTICE)


@pytest.mark.parametrize(
    ("find", "instead", "fault"),
    [
        ("{changes}", "", r"leaves out \{changes\}"),
        ("{links}", "", r"leaves out \{links\}"),
        ("{changes}", "Look: {changes}", r"line 7: \{changes\} is a whole block"),
        ("{opening}", "{opening} {due_on}", r"line 5: \{opening\} is a whole block"),
        ("Dear", "{secret_key} Dear", r"line 3: \{secret_key\} is no place of this notice; there are: changes, docu"),
        ("Dear", "{{{7*7}} Dear", "line 3: a brace stands alone"),
        ("Dear", "{document.__class__} Dear", "line 3: a brace stands alone"),
        ("Dear", "{document!r} Dear", "line 3: a brace stands alone"),
        ("Dear", "![x](https://evil.example/pixel.png) Dear", "a picture"),
        ("({url})", "({document})", "a link leads to"),
        ("({url})", "(https://{document}/)", "a link leads to"),
        ("({url})", "(http://plain.example)", "a link leads to 'http://plain.example'"),
        ("Dear", "zqv0qz Dear", "letters that Assent uses"),
        ("Subject: ", "Betreff: ", "must begin with a line 'Subject: …'"),
        ("{document}: new version {number}", "", "must begin with a line 'Subject: …'"),
    ],
)
def test_a_faulty_wording_is_refused_by_file_and_place(folder: Path, find: str, instead: str, fault: str) -> None:
    with pytest.raises(TemplateError, match=rf"version_published\.md: .*{fault}"):
        worded(folder, PUBLISHED.replace(find, instead, 1))


def test_a_file_for_no_mail_or_language_is_refused(folder: Path) -> None:
    with pytest.raises(TemplateError, match="only these can be reworded: version_published"):
        worded(folder, PUBLISHED, P.REQUEST_RECEIVED)
    (folder / "en" / "request_received.md").unlink()
    with pytest.raises(TemplateError, match="there is no language 'fr' to reword; there are de, en"):
        worded(folder, PUBLISHED, locale="fr")
    with pytest.raises(TemplateError, match="is no folder"):
        Renderer(folder / "nowhere")


def test_html_and_template_code_in_a_wording_are_letters(folder: Path) -> None:
    text = PUBLISHED.replace("Dear", "<script>alert(1)</script> {{{{ 7*7 }}}} {{% raw %}} Dear")
    mail = worded(folder, text).render(P.VERSION_PUBLISHED, samples.sample(P.VERSION_PUBLISHED), locale="en")
    assert "{{ 7*7 }} {% raw %} Dear" in mail.text
    assert "<script" not in mail.html
    assert "49" not in mail.text


@settings(max_examples=40)
@given(st.text(max_size=60), st.text(max_size=60))
def test_no_value_gets_out_of_its_place(tmp_path_factory: pytest.TempPathFactory, name: str, change: str) -> None:
    folder = tmp_path_factory.mktemp("wording")
    own = worded(folder, PUBLISHED)
    values = samples.sample(P.VERSION_PUBLISHED) | {"external_id": name, "document": name, "changes": [change]}
    usual = samples.sample(P.VERSION_PUBLISHED) | {"external_id": "x", "document": "x", "changes": ["x"]}
    mail, plain = (own.render(P.VERSION_PUBLISHED, one, locale="en") for one in (values, usual))
    assert mail.html.count("<a ") == plain.html.count("<a ")
    assert mail.html.count("<script") == 0
    assert "\n" not in mail.subject


def test_every_wording_is_tried_with_the_awkward_cast(folder: Path) -> None:
    worded(folder, PUBLISHED)
    own = worded(folder, ENDED, P.TERMINATION_NOTICE)
    tried, faults = preview.check(own, [P.VERSION_PUBLISHED, P.TERMINATION_NOTICE])
    assert tried > 100
    assert faults == []


def test_every_mail_that_can_be_reworded_can_be_with_its_blocks_alone(folder: Path) -> None:
    for purpose in wording.VALUES:
        for locale in ("en", "de"):
            blocks = "\n\n".join(f"{{{name}}}" for name in sorted(Renderer()._blocks(locale, purpose)))
            own = worded(folder, f"Subject: Word\n\n{blocks}\n", purpose, locale)
            mail = own.render(purpose, samples.sample(purpose, locale=locale), locale=locale)
            assert mail.subject == "Word"


def test_nothing_starts_with_a_faulty_wording(folder: Path, make_settings) -> None:
    (folder / "en" / "version_published.md").write_text("Subject: Hi\n\nHi.\n")
    with pytest.raises(TemplateError, match="leaves out"):
        composition.open_app(make_settings(wording_dir=folder))
