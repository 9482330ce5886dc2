"""How well the dates that texts carry about themselves are read, by language.

    python -m benchmarks.text_dates PAIRS.json

PAIRS.json is a list of {"locale", "line", "iso", "agrees"}: a line of a text, the day on record beside it, and
whether both are the same day. On pairs that agree the line's date must be read: right, wrong, or not at all; on
those that do not, a warning must be given.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from lifecycle.documents.dates import disagreements, offered


@dataclass
class Count:
    agreeing: int = 0
    right: int = 0
    wrong: int = 0
    disagreeing: int = 0
    warned: int = 0


def judge(pairs: Iterable[dict[str, Any]]) -> dict[str, Count]:
    """The counts by language, and of all."""
    counts: dict[str, Count] = defaultdict(Count)
    for pair in pairs:
        locale, on_record = pair["locale"].partition("_")[0], date.fromisoformat(pair["iso"])
        read = offered(pair["line"], locale=locale)
        for count in (counts[locale], counts["all"]):
            if pair["agrees"]:
                count.agreeing += 1
                count.right += read == on_record
                count.wrong += read not in (on_record, None)
            else:
                count.disagreeing += 1
                count.warned += bool(disagreements(pair["line"], locale=locale, on=[on_record]))
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description="How well the dates that texts carry about themselves are read.")
    parser.add_argument("pairs", type=Path)
    counts = judge(json.loads(parser.parse_args().pairs.read_text("utf-8")))
    print("python -m benchmarks.text_dates PAIRS.json")
    print(f"{'locale':8}{'agreeing':>10}{'right':>8}{'wrong':>8}{'not read':>10}{'disagreeing':>13}{'warned':>8}")
    for locale, n in sorted(counts.items(), key=lambda item: (item[0] == "all", item[0])):
        unread = n.agreeing - n.right - n.wrong
        print(f"{locale:8}{n.agreeing:10}{n.right:8}{n.wrong:8}{unread:10}{n.disagreeing:13}{n.warned:8}")


if __name__ == "__main__":
    main()
