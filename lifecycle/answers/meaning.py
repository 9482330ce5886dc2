"""The meaning of sentences by an embedding model, where one is installed: `assent[semantic]` and a model directory."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lifecycle.answers import kept
from lifecycle.answers.passages import Passage
from lifecycle.errors import ConfigurationError

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

# The share of the context in a passage's likeness.
CONTEXT = 0.3
MAX_TOKENS = 128
BATCH = 16

SUMS = "SHA256SUMS"
TOKENIZER = "tokenizer.json"
# Models that need no list of checksums beside them: sentence-transformers/all-MiniLM-L6-v2, dynamic int8.
KNOWN = {
    "model_int8.onnx": "fd829d9428eb696d46a546cf0e12f4553ddd47f522f9ae2288d7cb667605f1ad",
    TOKENIZER: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
_SUM = re.compile(r"([0-9a-f]{64}) [ *](\S.*)")
_LINK_TARGET = re.compile(r"\]\([^()\s]*\)")


class Model:
    """An embedding model in one thread. Raises ConfigurationError when a file is missing, changed or unusable."""

    def __init__(self, directory: Path) -> None:
        onnx = _only_model(directory)
        checked = _checksums(directory, onnx.name)
        self.identity = checked[onnx.name] + hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
        try:
            import numpy
            import onnxruntime
            from tokenizers import Tokenizer
        except ImportError as error:
            raise ConfigurationError(
                f"ASSENT_MODEL_DIR is set, but {error.name} is not installed. Install assent[semantic], or unset it."
            ) from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(onnx), options, providers=["CPUExecutionProvider"])
            self._tokenizer = Tokenizer.from_file(str(directory / TOKENIZER))
        except Exception as error:  # both libraries raise their own bare kinds
            raise ConfigurationError(f"The model in {directory} cannot be read: {error}") from None
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.enable_padding()
        self._inputs = {given.name for given in self._session.get_inputs()}
        self._numpy = numpy
        self.question = lru_cache(maxsize=1024)(lambda text: self.embed([text])[0])

    def embed(self, texts: Sequence[str]) -> NDArray[numpy.float32]:
        """A row of unit length for each text; texts alike in meaning have rows alike."""
        np = self._numpy
        rows = [self._embed(texts[at : at + BATCH]) for at in range(0, len(texts), BATCH)]
        whole: NDArray[numpy.float32] = np.concatenate(rows) if rows else np.zeros((0, 1), np.float32)
        return whole

    def _embed(self, texts: Sequence[str]) -> Any:
        np = self._numpy
        encoded = self._tokenizer.encode_batch(list(texts))
        given = {
            "input_ids": np.array([item.ids for item in encoded], np.int64),
            "attention_mask": np.array([item.attention_mask for item in encoded], np.int64),
            "token_type_ids": np.array([item.type_ids for item in encoded], np.int64),
        }
        mask = given["attention_mask"][:, :, None].astype(np.float32)
        rows = self._session.run(None, {name: given[name] for name in self._inputs})[0]
        if rows.ndim == 3:  # a row for each token: the mean over those that are no padding
            rows = (rows * mask).sum(1) / mask.sum(1)
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


class Meaning:
    """The meanings of a body's passages and of their contexts. Never changes: threads may share it."""

    def __init__(self, model: Model, passages: Sequence[Passage], *, kept_in: Path | None = None) -> None:
        self._model = model
        texts = [_LINK_TARGET.sub("]", f"{passage.leading} {passage.text}".strip()) for passage in passages]
        contexts = sorted({passage.heading for passage in passages})
        rows = _kept(model, [*texts, *contexts], kept_in)
        places = {context: len(texts) + n for n, context in enumerate(contexts)}
        self._rows = rows[: len(texts)]
        self._contexts = rows[[places[passage.heading] for passage in passages]] if texts else self._rows
        self._named = [bool(passage.heading) for passage in passages]

    def likeness(self, question: str) -> list[float]:
        """How like each passage is to the question, its context included: 1 the same, 0 nothing in common."""
        asked = self._model.question(question)
        pairs = zip(self._rows @ asked, self._contexts @ asked, self._named, strict=True)
        return [float((1 - CONTEXT) * text + CONTEXT * above if named else text) for text, above, named in pairs]


@lru_cache(maxsize=2)
def model(directory: Path) -> Model:
    """The model of a directory, loaded once in a process."""
    return Model(directory)


def _kept(model: Model, texts: Sequence[str], folder: Path | None) -> Any:
    """The rows of the texts, from the folder if they were worked out before: that takes milliseconds a sentence."""
    import numpy

    name = hashlib.sha256("\0".join((model.identity, *texts)).encode()).hexdigest()
    path = folder / f"{name}.npy" if folder else None
    if path and path.is_file():
        try:
            rows = numpy.load(path, allow_pickle=False)
            if rows.shape[0] == len(texts):
                return rows.astype(numpy.float32)
        except (OSError, ValueError):  # cut short by a crash: worked out again
            pass
    rows = model.embed(texts)
    if path:
        content = io.BytesIO()
        numpy.save(content, rows.astype(numpy.float16))
        kept.write(path, content.getvalue())
    return rows


def _only_model(directory: Path) -> Path:
    found = sorted(directory.glob("*.onnx"))
    if len(found) != 1 or not (directory / TOKENIZER).is_file():
        raise ConfigurationError(
            f"ASSENT_MODEL_DIR must hold one .onnx file and {TOKENIZER}; {str(directory)!r} holds "
            f"{len(found)} .onnx file(s){'' if (directory / TOKENIZER).is_file() else f' and no {TOKENIZER}'}."
        )
    return found[0]


def _checksums(directory: Path, onnx: str) -> dict[str, str]:
    """The hashes of the model's files; raises ConfigurationError unless each is as listed."""
    listed = KNOWN
    if (directory / SUMS).is_file():
        lines = (directory / SUMS).read_text("utf-8").splitlines()
        listed = {match[2]: match[1] for line in lines if (match := _SUM.fullmatch(line))}
    found = {name: hashlib.sha256((directory / name).read_bytes()).hexdigest() for name in (onnx, TOKENIZER)}
    for name, digest in found.items():
        if listed.get(name) != digest:
            wanted = f"not {listed[name]}" if name in listed else "which is not listed"
            raise ConfigurationError(
                f"{directory / name} has the SHA-256 {digest}, {wanted}. If you trust the file, write "
                f"{SUMS} beside it with `sha256sum *.onnx {TOKENIZER} > {SUMS}`."
            )
    return found
