"""What an enormous or hostile text costs to show, and to find its sections: each at most 1 s, and 256 MB for both.

    python -m benchmarks.hostile_texts [NAME...]

Each text has a process of its own; the times are its processor time, the memory what its peak grows by.
"""

import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial

from lifecycle.documents.sections import split
from lifecycle.web.markup import text_html

BAR_SECONDS, BAR_MB = 1.0, 256

# Each makes a text of its full size, or of a part of it.
NAMED: dict[str, Callable[[int], str]] = {
    "a line of 5 MB": lambda part: "word " * (1_000_000 // part),
    "a word of 5 MB": lambda part: "x" * (5_000_000 // part),
    "emphasis opened": lambda part: "*a " * (1_600_000 // part),
    "emphasis closed": lambda part: "*a* " * (1_200_000 // part),
    "emphasis nested": lambda part: "**a " * (50_000 // part) + "b** " * (50_000 // part),
    "brackets": lambda part: "[" * (5_000_000 // part),
    "links": lambda part: "[a](b) " * (700_000 // part),
    "links never closed": lambda part: "[a](b " * (700_000 // part),
    "titles never closed": lambda part: '[a](b "' * (500_000 // part),
    "pictures": lambda part: "![a](b) " * (600_000 // part),
    "pictures nested": lambda part: "![" * (500_000 // part) + "](x)" * (500_000 // part),
    "autolinks": lambda part: "<http://a> " * (400_000 // part),
    "references": lambda part: "[a]: /x\n" * (200_000 // part),
    "references used": lambda part: "[a]: /x\n\n" + "[a] " * (500_000 // part),
    "quotes nested 10,000 deep": lambda part: "> " * (10_000 // part) + "x",
    "lists nested 10,000 deep": lambda part: "- " * (10_000 // part) + "x",
    "lists nested line by line": lambda part: "\n".join("  " * n + "- x" for n in range(1500 // part)),
    "quotes nested line by line": lambda part: "\n".join(">" * n + " x" for n in range(3000 // part)),
    "backticks": lambda part: "`" * (1_000_000 // part),
    "backticks of all lengths": lambda part: " ".join("`" * n for n in range(1500 // part)),
    "tags never closed": lambda part: "<a " * (1_000_000 // part),
    "comments never closed": lambda part: "<!--" * (1_000_000 // part),
    "entities": lambda part: "&amp;" * (1_000_000 // part),
    "escapes": lambda part: "\\\\*" * (1_500_000 // part),
    "headings": lambda part: "# a\n" * (200_000 // part),
    "bold lines": lambda part: "**a**\n\n" * (200_000 // part),
    "numbered paragraphs": lambda part: "1.1 A\n\n" * (200_000 // part),
    "a table as wide as it can be": lambda part: "\n".join(row * (100_000 // part) + "|" for row in ("|a", "|-", "|b")),
    "a table as long as it can be": lambda part: "|a|b|\n|-|-|\n" + "|x|\n" * (300_000 // part),
    "lines": lambda part: "a\n" * (1_500_000 // part),
    "paragraphs": lambda part: "a\n\n" * (1_000_000 // part),
    "items": lambda part: "1. a\n" * (300_000 // part),
    "controls": lambda part: "\x00\x01\x07\x1b[31m" * (600_000 // part),
    "writing backwards": lambda part: "\u202e\u2066a" * (800_000 // part),
    "notes": lambda part: "[^a] " * (300_000 // part) + "\n\n[^a]: x\n",
    "definitions": lambda part: "a\n: b\n\n" * (200_000 // part),
}


def measure(name: str) -> None:
    text = NAMED[name](1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    shown, found = (seconds(partial(work, text)) for work in (text_html, split))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    verdict = "" if max(shown, found) <= BAR_SECONDS and grown <= BAR_MB else "  over the bar"
    print(f"{name:32}{len(text) / 1e6:7.1f} MB{shown:9.2f} s{found:9.2f} s{grown:8.0f} MB{verdict}", flush=True)


def seconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        return measure(sys.argv[2])
    print(f"python -m benchmarks.hostile_texts  ({os.cpu_count()} cores, {platform.processor() or platform.machine()})")
    for name in sys.argv[1:] or NAMED:
        subprocess.run([sys.executable, "-m", "benchmarks.hostile_texts", "--one", name], check=True, timeout=60)
    return None


if __name__ == "__main__":
    main()
