"""docs/http.md describes the endpoints there are, and no others."""

import re
from pathlib import Path

from fastapi import FastAPI

DOCS = Path(__file__).parents[2] / "docs" / "http.md"


def test_every_endpoint_is_described_and_every_description_is_true(interface: FastAPI) -> None:
    paths = interface.openapi()["paths"]
    served = {
        (method.upper(), path, frozenset(p["name"] for p in about.get("parameters", []) if p["in"] == "query"))
        for path, methods in paths.items()
        for method, about in methods.items()
    }
    rows = re.findall(r"^\| `([A-Z]+) ([^?`]+)\??([^`]*)`", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    described = {(method, path, frozenset(re.findall(r"(\w+)=", query))) for method, path, query in rows}
    described = {row for row in described if not row[1].endswith((".atom", ".json"))}  # of the pages, without a token
    paging = {"after", "limit"}
    assert described == {(method, path, query - paging) for method, path, query in served}


def test_every_list_comes_in_pages(interface: FastAPI) -> None:
    paths = interface.openapi()["paths"]
    paged = {p for p, m in paths.items() if "after" in {q["name"] for q in m.get("get", {}).get("parameters", [])}}
    assert paged == {
        "/documents",
        "/erasures",
        "/documents/{slug}/versions",
        "/documents/{slug}/versions/{number}/unreachable",
        "/notices",
        "/requests",
        "/answers/pins",
        "/answers/unanswered",
    }
