"""A text that lost most of its words: a page that failed to load, half an upload, the wrong file."""

from collections import Counter

from lifecycle.documents.words import words
from lifecycle.errors import RuleRefused

LOST = 0.8  # of its words, what a text may lose without a question
SHORT = 30  # words below which a text is too short for its loss to tell anything


def lost_share(before: str, after: str) -> float:
    """The share of the words of a text that another lacks, from 0 to 1; 0 for a text too short to tell."""
    had, has = (Counter(word.casefold() for word in words(text)) for text in (before, after))
    return (had - has).total() / had.total() if had.total() >= SHORT else 0.0


def require_text_kept(before: str, after: str, *, what: str) -> None:
    """Raises RuleRefused when more than LOST of the words of `before` are missing from `after`."""
    if _plainly_kept(before, after):
        return
    share = lost_share(before, after)
    if share > LOST:
        raise RuleRefused(
            f"{what} lacks {share:.0%} of the words of the version before it "
            f"({len(words(before))} words then, {len(words(after))} now). Give the whole text, or confirm that this is "
            "it: --allow-loss on the command line, allow_loss over HTTP."
        )


def _plainly_kept(before: str, after: str) -> bool:
    """Whether whole lines that are still there make up most of the text, which is found far faster than the words."""
    there = set(after.splitlines())
    return 2 * sum(len(line) for line in before.splitlines() if line in there) > len(before)
