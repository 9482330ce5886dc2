"""How fast questions are answered, what an index of many texts takes, and that every quote stands where it says.

    python -m benchmarks.answers [--questions 10000] [--documents 200] [--corpus ../shared/corpus] [--model DIR]

Three things, each on one core:
- `ask`: every question of tests/answers/questions.jsonl about the sample policies, from the question to the answer, the
  database included; the peer is BM25 over the same passages in plain Python, in the same run.
- `index`: so many documents of three versions in two languages, made of the corpus (or of the samples): the time and
  memory to make the texts in force ready at start, and the first question after it.
- `verbatim`: so many random questions over every text of the corpus; a quote that is not, letter by letter, in the
  section it names ends the run with status 1.
"""

import argparse
import asyncio
import math
import os
import platform
import random
import re
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlmodel import Session

from lifecycle.answers import sources
from lifecycle.answers.answering import answer, extract
from lifecycle.answers.asking import warm_up
from lifecycle.answers.meaning import model
from lifecycle.db import Database
from lifecycle.documents import store
from lifecycle.documents.publishing import Publication, publish
from lifecycle.settings import Settings
from lifecycle.states import Mode
from tests.answers.texts import CORPUS, SAMPLES, SLUGS, of, questions

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
WORD = re.compile(r"\w+")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=10_000)
    parser.add_argument("--documents", type=int, default=200)
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--model", type=Path)
    told = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, one core")
    print(f"python -m benchmarks.answers {' '.join(sys.argv[1:])}")
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), model_dir=told.model)
        speed(settings)
        index(settings, told.corpus, told.documents)
        return verbatim(settings, told.corpus, told.questions)


def speed(settings: Settings) -> None:
    database = opened(settings, "speed")
    database.run(_samples)
    asked = [q["question"] for q in questions() if q["text"] == "demo" and q["locale"] == "en"]
    read = database.read(lambda s: sources.sources(s, settings=settings, locale="en", now=NOW))
    plain = _Bm25([passage.text for source in read for passage in source.reading.index.passages])
    known = sources.installed(settings)

    def anew(question: str) -> str:
        if known:  # the meaning of a question is kept for a while; here every one is the first of its kind
            known.question.cache_clear()
        return question

    ours = timed(asked, lambda q: database.read(answer, anew(q), settings=settings, locale="en", now=NOW))
    ranking = timed(asked, lambda q: extract(anew(q), read, settings=settings))
    peer = timed(asked, plain.search)
    passages = sum(len(source.reading.index.passages) for source in read)
    print(f"\nask: {len(asked)} questions, {len(read)} texts, {passages} passages; ms of processor time: median, p95")
    for name, times in (("whole, with the database", ours), ("texts at hand", ranking), ("plain BM25", peer)):
        print(f"  {name:26} {at(times, 0.5):8.2f} {at(times, 0.95):8.2f}   x{at(times, 0.5) / at(peer, 0.5):.1f}")
    database.close()


def index(settings: Settings, corpus: Path, documents: int) -> None:
    database = opened(settings, "index")
    texts = _texts(corpus)
    database.run(_many, texts, documents)
    sources._read.cache_clear()
    before, began = resident(), time.perf_counter()
    count = asyncio.run(warm_up(database, settings=settings, now=NOW))
    warm = time.perf_counter() - began
    first = _first(database, settings)
    sources._read.cache_clear()
    cold = _first(database, settings)
    print(f"\nindex: {documents} documents x 3 versions x 2 languages; {count} texts in force made ready")
    print(f"  start {warm:.1f} s, {1000 * warm / count:.0f} ms a text; memory +{resident() - before:.0f} MB")
    print(f"  first question after it, to all of them: {1000 * first:.0f} ms (bar 1000)")
    print(f"  first question after a restart, nothing warmed up: {1000 * cold:.0f} ms (bar 1000)")
    database.close()


def _first(database: Database, settings: Settings) -> float:
    began = time.perf_counter()
    database.read(answer, "How do I delete my account?", settings=settings, locale="en", now=NOW)
    return time.perf_counter() - began


def verbatim(settings: Settings, corpus: Path, count: int) -> int:
    texts = _texts(corpus)
    dice, began, quoted, wrong = random.Random(2026), time.perf_counter(), 0, 0
    each = max(1, count // len(texts))
    for path, text in texts:
        source = of(text, slug="x", locale=_locale(path))
        words = WORD.findall(text)
        for _ in range(each):
            question = _random_question(dice, words)
            found = extract(question, [source], settings=settings)
            for quote in (*found.quotes, *found.closest):
                quoted += 1
                section = next(s for s in source.reading.sections if s.anchor == quote.anchor)
                wrong += quote.text not in text[section.start : section.end]
    took = time.perf_counter() - began
    asked = each * len(texts)
    print(f"\nverbatim: {asked} random questions over {len(texts)} texts in {took:.0f} s")
    print(f"  {quoted} quotes, {wrong} of them not verbatim in the section they name")
    return int(wrong > 0)


def _random_question(dice: random.Random, words: Sequence[str]) -> str:
    """A label of ours, a run of the text's own words, or words thrown together; half of them with a slip."""
    start = dice.randrange(max(1, len(words) - 8))
    run = words[start : start + dice.randint(2, 8)]
    mixed = [dice.choice(words) for _ in range(dice.randint(1, 6))] if words else []
    own = dice.choice(questions())["question"]
    question = dice.choice([" ".join(run), " ".join(mixed), own, f"{own} {' '.join(run)}"]) or own
    if dice.random() < 0.5:
        at = dice.randrange(len(question))
        question = question[:at] + question[at + 1 :]
    return question.strip()[:500] or own


def timed(asked: Sequence[str], work: Callable[[str], object]) -> list[float]:
    for question in asked:
        work(question)
    times = []
    for question in asked * 3:
        began = time.process_time()
        work(question)
        times.append(1000 * (time.process_time() - began))
    return sorted(times)


def at(times: Sequence[float], share: float) -> float:
    return times[min(len(times) - 1, int(share * len(times)))]


def resident() -> float:
    """The most memory held so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class _Bm25:
    """The peer: BM25 over plain words."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._counts = [Counter(WORD.findall(text.lower())) for text in texts]
        self._mean = sum(sum(count.values()) for count in self._counts) / len(texts)
        self._seen = Counter(word for count in self._counts for word in count)

    def search(self, question: str) -> int:
        words = WORD.findall(question.lower())
        rare = {word: math.log(1 + len(self._counts) / (1 + self._seen[word])) for word in words}

        def score(count: Counter[str]) -> float:
            damping = 1.2 * (0.25 + 0.75 * sum(count.values()) / self._mean)
            return sum(rare[word] * count[word] * 2.2 / (count[word] + damping) for word in words)

        return max(range(len(self._counts)), key=lambda n: score(self._counts[n]))


def opened(settings: Settings, name: str) -> Database:
    database = Database(f"sqlite:///{settings.data_dir / name}.sqlite3")
    database.upgrade()
    return database


def _samples(session: Session) -> None:
    for slug in SLUGS:
        texts = {locale: (SAMPLES / slug / f"2.{locale}.md").read_text("utf-8") for locale in ("en", "de")}
        _publish(session, slug, [texts])


def _many(session: Session, texts: Sequence[tuple[Path, str]], documents: int) -> None:
    for n in range(documents):
        pair = {"en": texts[n % len(texts)][1], "de": texts[(n + 7) % len(texts)][1]}
        marked = [{locale: f"{text}\n\nThis is text {n}-{k}.\n" for locale, text in pair.items()} for k in range(3)]
        _publish(session, f"document-{n}", marked)


def _publish(session: Session, slug: str, versions: Sequence[dict[str, str]]) -> None:
    document = store.create_document(session, slug, title=slug, now=NOW)
    for n, texts in enumerate(versions):
        made = NOW - timedelta(days=len(versions) - n)
        version = store.draft_version(session, document, texts, now=made)
        publish(session, version, Publication(Mode.NOTICE, notify=False), zone=Settings().zone, now=made)


def _texts(corpus: Path) -> list[tuple[Path, str]]:
    folder = corpus if corpus.is_dir() else SAMPLES
    return [(path, path.read_bytes().decode()) for path in _markdown(folder)]


def _markdown(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*.md")) if path.name[:1].isdigit())


def _locale(path: Path) -> str:
    return path.parent.name.rpartition(".")[2] if "." in path.parent.name else "en"


if __name__ == "__main__":
    if "--model" in sys.argv:
        model(Path(sys.argv[sys.argv.index("--model") + 1]))
    sys.exit(main())
