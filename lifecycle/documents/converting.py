"""Files of other kinds as Markdown: web pages and Word documents."""

from io import BytesIO
from pathlib import PurePosixPath
from zipfile import BadZipFile, ZipFile

from lifecycle.documents import texts
from lifecycle.errors import InvalidInput

MARKDOWN, HTML, WORD = {".md", ".markdown"}, {".html", ".htm"}, {".docx"}
SUFFIXES = MARKDOWN | HTML | WORD
UNPACKED = 100_000_000  # bytes that a Word document may have once unpacked

# What a page has around its text, and what is not read.
AROUND = [
    *(
        "script",
        "style",
        "noscript",
        "template",
        "svg",
        "iframe",
        "object",
        "nav",
        "footer",
        "form",
        "button",
        "dialog",
    ),
    *("[hidden]", "[aria-hidden=true]", "[role=navigation]", "[role=banner]", "[role=contentinfo]", "[role=dialog]"),
    *("body > header", "dialog", "#cookie-banner", ".cookie-banner", "a.skip", "a.skip-link"),
]


def as_markdown(data: bytes, *, name: str) -> str:
    """The text of a file by the end of its name; what is neither HTML nor DOCX is taken for Markdown, byte for byte.

    Raises InvalidInput that names the file when it is not UTF-8, damaged, too large or too deeply nested.
    """
    suffix = PurePosixPath(name).suffix.lower()
    if suffix not in HTML | WORD:
        return texts.decode(data, name=name)
    try:
        return _from_html(data if suffix in HTML else _html_of_word(data, name))
    except RecursionError:
        raise InvalidInput(f"{name}: its elements are nested too deeply to be a text.") from None


def _from_html(page: bytes | str) -> str:
    from bs4 import BeautifulSoup  # these, and mammoth below, take a tenth of a second that most starts can do without
    from bs4.element import Tag
    from markdownify import ATX, MarkdownConverter

    soup = BeautifulSoup(page, "html.parser")
    for element in soup.select(", ".join(AROUND)):
        element.decompose()
    found = soup.find("main") or soup.find("article") or soup.body or soup
    assert isinstance(found, Tag), "one of these is an element, or the page itself"
    converter = MarkdownConverter(heading_style=ATX, bullets="-", strip=["img"], escape_misc=True)
    lines = str(converter.convert_soup(found)).replace("\u00a0", " ").splitlines()
    return _tidy(lines)


def _tidy(lines: list[str]) -> str:
    """No blanks at line ends but those of a hard break, and never two blank lines in a row."""
    kept: list[str] = []
    for line in lines:
        stripped = line.rstrip()
        if stripped or (kept and kept[-1]):
            kept.append(stripped + "  " if stripped and line.endswith("  ") else stripped)
    return "\n".join(kept).strip("\n") + "\n"


def _html_of_word(data: bytes, name: str) -> str:
    import mammoth

    try:
        with ZipFile(BytesIO(data)) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > UNPACKED:
            raise InvalidInput(f"{name}: unpacked it would have {size} bytes; at most {UNPACKED} are taken.")
        return str(mammoth.convert_to_html(BytesIO(data)).value)
    except InvalidInput:
        raise
    except Exception as error:  # mammoth promises no errors of its own, and the file may be anything
        reason = "it is no ZIP archive" if isinstance(error, BadZipFile) else str(error) or type(error).__name__
        raise InvalidInput(f"{name} cannot be read as a Word document (.docx): {reason}.") from None
