"""The embedding model: checked before it is read, and its workings kept."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from lifecycle.answers import meaning
from lifecycle.answers.meaning import SUMS, TOKENIZER, Meaning, Model, model
from lifecycle.answers.passages import Passage, passages
from lifecycle.documents.sections import split
from lifecycle.errors import ConfigurationError
from tests.answers.texts import MODEL

needs_model = pytest.mark.skipif(not MODEL.is_dir(), reason="../shared/qa/model is not here")
TEXT = "# Policy\n\n## Data\n\nWe erase your account when you ask. The moon is made of stone.\n"


def found() -> list[Passage]:
    return passages(TEXT, split(TEXT), locale="en")


def test_a_folder_without_a_model_is_named(tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"ASSENT_MODEL_DIR must hold one \.onnx file and tokenizer\.json"):
        Model(tmp_path)


def test_an_unknown_model_needs_a_list_of_checksums(tmp_path: Path):
    (tmp_path / "other.onnx").write_bytes(b"x")
    (tmp_path / TOKENIZER).write_text("{}")
    with pytest.raises(ConfigurationError, match="sha256sum"):
        Model(tmp_path)


def test_a_listed_file_that_is_no_model_is_refused_all_the_same(tmp_path: Path):
    (tmp_path / "other.onnx").write_bytes(b"x")
    (tmp_path / TOKENIZER).write_text("{}")
    sums = (f"{hashlib.sha256((tmp_path / n).read_bytes()).hexdigest()}  {n}" for n in ("other.onnx", TOKENIZER))
    (tmp_path / SUMS).write_text("\n".join(sums))
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Model(tmp_path)


@needs_model
def test_a_changed_file_is_refused_before_it_is_read(tmp_path: Path):
    shutil.copytree(MODEL, tmp_path / "m")
    tokenizer = tmp_path / "m" / TOKENIZER
    tokenizer.chmod(0o644)
    tokenizer.write_text(tokenizer.read_text("utf-8") + " ", "utf-8")
    with pytest.raises(ConfigurationError, match="has the SHA-256"):
        Model(tmp_path / "m")


@needs_model
def test_what_means_the_same_is_alike():
    like = Meaning(model(MODEL), found()).likeness("how do I get my profile removed")
    assert like[0] > like[1] + 0.2


@needs_model
def test_workings_are_kept_and_a_damaged_file_is_made_anew(tmp_path: Path, monkeypatch):
    first = Meaning(model(MODEL), found(), kept_in=tmp_path).likeness("deletion")
    (kept,) = tmp_path.iterdir()
    assert Meaning(model(MODEL), found(), kept_in=tmp_path).likeness("deletion") == pytest.approx(first, abs=1e-2)
    kept.write_bytes(kept.read_bytes()[:50])
    assert Meaning(model(MODEL), found(), kept_in=tmp_path).likeness("deletion") == pytest.approx(first, abs=1e-6)


@needs_model
def test_a_folder_that_cannot_be_written_costs_time_alone():
    assert Meaning(model(MODEL), found(), kept_in=Path("/dev/null/x")).likeness("deletion")


def test_the_known_model_is_named_by_its_hashes():
    assert all(len(digest) == 64 for digest in meaning.KNOWN.values())
