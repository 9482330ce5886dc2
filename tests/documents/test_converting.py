"""Web pages and Word documents as Markdown: their words whole, what stands around them left out."""

from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest
from sqlmodel import select

from lifecycle.db import Database
from lifecycle.documents.converting import as_markdown
from lifecycle.documents.importing import import_path
from lifecycle.errors import InvalidInput
from lifecycle.models import Body
from tests.helpers import NOW, ZONE

PAGE = """<!doctype html><html lang="de"><head><meta charset="utf-8"><title>Acme</title><style>p {}</style></head>
<body><header><a href="/">Start</a></header><nav><ul><li>Home</li></ul></nav>
<div class="cookie-banner">We use cookies <button>Accept</button></div>
<main><h1>Datenschutz</h1><script>alert(1)</script>
<p>Wir <strong>sammeln</strong> <a href="https://a.example/x">Daten</a> &amp; mehr * als 1_000.</p>
<h2>1. Zwecke</h2><ol><li>Erstens</li><li>Zweitens<ul><li>Unterpunkt</li></ul></li></ol>
<table><tr><th>Zweck</th><th>Dauer</th></tr><tr><td>Betrieb</td><td>2 Jahre</td></tr></table>
</main><footer>© 2024</footer></body></html>"""

WORD = {
    "[Content_Types].xml": '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/'
    'content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.'
    'wordprocessingml.document.main+xml"/></Types>',
    "_rels/.rels": '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/'
    'relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/'
    'officeDocument" Target="word/document.xml"/></Relationships>',
    "word/document.xml": '<?xml version="1.0"?><w:document xmlns:w="http://schemas.openxmlformats.org/'
    'wordprocessingml/2006/main"><w:body><w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr><w:r><w:t>Terms</w:t></w:r>'
    '</w:p><w:p><w:r><w:t xml:space="preserve">Be </w:t></w:r><w:r><w:rPr><w:b/></w:rPr><w:t>nice</w:t></w:r>'
    "<w:r><w:t>.</w:t></w:r></w:p></w:body></w:document>",
}


def word(parts: dict[str, str]) -> bytes:
    file = BytesIO()
    with ZipFile(file, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return file.getvalue()


def test_a_page_is_its_text_without_what_stands_around_it():
    text = as_markdown(PAGE.encode(), name="p.html")
    assert text.startswith("# Datenschutz\n\nWir **sammeln** [Daten](https://a.example/x) \\& mehr \\* als 1\\_000.\n")
    assert "## 1\\. Zwecke" in text
    assert "1. Erstens\n2. Zweitens\n   - Unterpunkt\n" in text
    assert "| Betrieb | 2 Jahre |" in text
    assert not [word for word in ("Start", "Home", "cookies", "alert", "©", "p {}", "Acme") if word in text]


def test_the_page_says_in_which_encoding_it_is():
    page = '<html><head><meta charset="iso-8859-1"></head><body><p>Größe</p></body></html>'
    assert as_markdown(page.encode("latin-1"), name="p.htm") == "Größe\n"


def test_a_word_document_is_its_text():
    assert as_markdown(word(WORD), name="terms.docx") == "# Terms\n\nBe **nice**.\n"


def test_markdown_stays_as_it_is_byte_for_byte():
    assert as_markdown(b"\xef\xbb\xbf# T\r\n\r\n<p>x</p>\r\n", name="t.md") == "\ufeff# T\r\n\r\n<p>x</p>\r\n"


@pytest.mark.parametrize("data", [b"no zip", word({"x": "y"}), word({**WORD, "word/document.xml": "<broken"})])
def test_a_damaged_word_document_is_refused_by_name(data: bytes):
    with pytest.raises(InvalidInput, match=r"terms\.docx cannot be read as a Word document"):
        as_markdown(data, name="terms.docx")


def test_a_page_nested_without_end_is_refused_or_read_but_breaks_nothing():
    try:
        assert as_markdown(b"<div>" * 100_000 + b"x", name="p.html") == "x\n"
    except InvalidInput as error:
        assert "nested too deeply" in str(error)  # noqa: PT017  (both ends are right)


def test_a_folder_may_hold_all_kinds(sqlite: Database, tmp_path: Path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "privacy.de.html").write_text(PAGE)
    (folder / "terms.docx").write_bytes(word(WORD))
    (folder / "broken.docx").write_bytes(b"no zip")
    (folder / "cookies.md").write_text("# Cookies\n\nNone.\n")
    report = import_path(sqlite, folder, zone=ZONE, now=NOW)
    assert sorted(report.added) == ["cookies.md", "privacy.de.html", "terms.docx"]
    assert [name for name, _ in report.problems] == ["broken.docx"]
    bodies = sqlite.read(lambda session: session.exec(select(Body.title, Body.locale)).all())
    assert sorted(tuple(body) for body in bodies) == [("Cookies", "en"), ("Datenschutz", "de"), ("Terms", "en")]
    assert import_path(sqlite, folder, zone=ZONE, now=NOW).added == []
