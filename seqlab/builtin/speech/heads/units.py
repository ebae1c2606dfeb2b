"""What a CTC head spells texts with: characters, byte-pair pieces, or phones of a lexicon.

Ids count from 1, as 0 is the blank of CTC; a unit that the training split does not hold is `UNSEEN`. Texts
are taken as they stand: a reader that lower-cases or strips them does so for head and metrics alike.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from io import BytesIO
from itertools import groupby
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from seqlab.api import DataError, FilePath, Place, SeqlabError
from seqlab.builtin.core.learned import distinct_strings, strings_by_string
from seqlab.suggest import shortened

__all__ = ["UNSEEN", "BytePairs", "Characters", "Phones", "Units", "import_sentencepiece", "read_lexicon"]

UNSEEN = -1
"""Id of a unit that the training split does not hold."""


class Units(Protocol):
    """Spells texts as ids from 1 to `len(names)`."""

    names: list[str]
    """The units; the first one has id 1."""

    def fit(self, texts: Iterable[str]) -> None:
        """Learn the units from the training split's texts."""
        ...

    def state(self) -> dict[str, Any]:
        """Return what was learned as plain JSON data."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` returned."""
        ...

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, `UNSEEN` for what cannot be spelt."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text that ids from 1 spell, in whatever order they come."""
        ...


class Characters:
    """The characters of the training split's texts, the space among them, sorted by code point."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.ids: dict[str, int] = {}

    def fit(self, texts: Iterable[str]) -> None:
        """Learn the characters; SeqlabError where there is none."""
        self.restore({"characters": sorted({character for text in texts for character in text})})
        if not self.names:
            raise SeqlabError("head ctc: the texts of the training split hold no character")

    def state(self) -> dict[str, Any]:
        """Return the characters."""
        return {"characters": self.names}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back the characters."""
        self.names = distinct_strings(state, "characters")
        self.ids = _numbered(self.names)

    def encode(self, text: str) -> list[int]:
        """Return an id per character."""
        return [self.ids.get(character, UNSEEN) for character in text]

    def decode(self, ids: Sequence[int]) -> str:
        """Return the characters in a row."""
        return "".join(self.names[number - 1] for number in ids)


# --- byte pairs ------------------------------------------------------------------------------------------

SPACE = "\u2581"
"""How sentencepiece writes a space inside a piece: it stands at the beginning of a word."""


MODEL_FILE = "sentencepiece.model"
"""The file of a package that holds the model of byte pairs."""


class BytePairs:
    """Frequent strings of characters, by byte-pair encoding (Sennrich, Haddow and Birch 2016).

    `vocab_size` pieces are learned by sentencepiece; all characters of the training split are among them.
    Runs of spaces count as one. Encoding needs sentencepiece, decoding does not.
    """

    def __init__(self, vocab_size: int) -> None:
        self.vocab_size = vocab_size
        self.names: list[str] = []
        self.model = b""
        self._encode: Callable[[str], list[int]] | None = None

    def fit(self, texts: Iterable[str]) -> None:
        """Learn the pieces; SeqlabError where the texts do not hold so many, or need more."""
        sentencepiece = import_sentencepiece()
        written = BytesIO()
        texts = [text for text in texts if text.strip()]
        if not texts:
            raise SeqlabError("head ctc: the texts of the training split hold no character")
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(texts),
                model_writer=written,
                model_type="bpe",
                vocab_size=self.vocab_size + 1,  # and the unknown piece, which takes the place of the blank
                character_coverage=1.0,
                normalization_rule_name="identity",
                unk_id=0,
                bos_id=-1,
                eos_id=-1,
                pad_id=-1,
                # Longer texts than this would be left out without a word; sentencepiece wants 10 at least.
                max_sentence_length=max(10, *(len(text.encode()) + 1 for text in texts)),
                num_threads=1,
                minloglevel=3,
            )
        except RuntimeError as error:
            raise SeqlabError(self._complaint(texts, error)) from error
        self._take(written.getvalue())

    def state(self) -> dict[str, Any]:
        """Return the pieces."""
        return {"pieces": self.names}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back the pieces; in packages of earlier versions the model stands beside them, in base64."""
        self.names = distinct_strings(state, "pieces")
        self.model = base64.b64decode(state.get("model", ""))
        self._encode = None

    def save(self, folder: Path) -> None:
        """Write sentencepiece's model."""
        (folder / MODEL_FILE).write_bytes(self.model)

    def load(self, folder: Path) -> None:
        """Read sentencepiece's model."""
        self.model = (folder / MODEL_FILE).read_bytes()

    def encode(self, text: str) -> list[int]:
        """Return an id per piece."""
        if not self.model:
            raise SeqlabError("head ctc: there is no model of byte pairs: the package has lost its file")
        if self._encode is None:
            self._encode = _processor(self.model).encode
        return [number or UNSEEN for number in self._encode(text)]

    def decode(self, ids: Sequence[int]) -> str:
        """Return the pieces in a row, words apart by one space."""
        return " ".join("".join(self.names[number - 1] for number in ids).replace(SPACE, " ").split())

    def _take(self, model: bytes) -> None:
        processor = _processor(model)
        self.model, self._encode = model, processor.encode
        self.names = [processor.id_to_piece(number) for number in range(1, processor.get_piece_size())]

    def _complaint(self, texts: Sequence[str], error: RuntimeError) -> str:
        characters = len(set("".join(texts).replace(" ", SPACE)) | {SPACE})
        if self.vocab_size < characters:
            return (
                f"head ctc: units.vocab_size {self.vocab_size} is less than the {characters} characters of"
                " the training split, each of which is a piece"
            )
        return (
            f"head ctc: units.vocab_size {self.vocab_size} cannot be learned from the training split; its"
            f" texts may hold too few different strings: {error}"
        )


def import_sentencepiece() -> ModuleType:
    """Return sentencepiece; SeqlabError with what to install where it is missing or broken."""
    try:
        import sentencepiece
    except (ImportError, OSError) as error:
        hint = 'pip install "seqlab[speech]"'
        raise SeqlabError(f"head ctc: units bpe need sentencepiece ({error}): {hint}") from error
    return sentencepiece


def _processor(model: bytes) -> Any:
    return import_sentencepiece().SentencePieceProcessor(model_proto=model)


# --- phones ----------------------------------------------------------------------------------------------

BOUNDARY = " "
"""The unit between two words."""

VARIANT = re.compile(r"(?<=.)\(\d+\)$")
"""What marks a further pronunciation: `a(2)`."""


class Phones:
    """The phones of each word's first pronunciation in a lexicon, and a unit for the boundary of words.

    Words are looked up without regard to case. Answers are words again: each group of phones becomes the most
    frequent word of the training split that is pronounced so, else the lexicon's first, in lower case; a
    group that is no word's becomes its phones joined by hyphens, one wrong word for the metrics.
    """

    def __init__(self, lexicon: FilePath) -> None:
        self.path = lexicon
        self.names: list[str] = []
        self.ids: dict[str, int] = {}
        self.lexicon: dict[str, str] = {}
        self.words: list[str] = []
        self.spoken: dict[str, str] = {}

    def fit(self, texts: Iterable[str]) -> None:
        """Read the lexicon and learn the phones; SeqlabError names the words that it lacks."""
        lexicon = read_lexicon(self.path.local)
        spoken = [text.split() for text in texts]
        counts = Counter(word for words in spoken for word in words)
        words = sorted(counts, key=lambda word: (-counts[word], word))
        self._check(words, lexicon)
        phones = {phone for word in words for phone in lexicon[word.casefold()].split()}
        boundary = {BOUNDARY} if any(len(words) > 1 for words in spoken) else set()
        self.restore({"phones": sorted(phones | boundary), "lexicon": lexicon, "words": words})

    def state(self) -> dict[str, Any]:
        """Return the phones, the lexicon and the words of the training split, the most frequent first."""
        return {"phones": self.names, "lexicon": self.lexicon, "words": self.words}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` returned; the lexicon's file is not needed any more."""
        self.names, self.words = distinct_strings(state, "phones"), distinct_strings(state, "words")
        self.lexicon = strings_by_string(state, "lexicon")
        self.ids = _numbered(self.names)
        self.spoken = {}
        for word in (*self.words, *self.lexicon):
            self.spoken.setdefault(self.lexicon[word.casefold()], word)

    def encode(self, text: str) -> list[int]:
        """Return an id per phone and boundary, one `UNSEEN` for a word that the lexicon lacks."""
        ids: list[int] = []
        for number, word in enumerate(text.split()):
            ids += [self.ids.get(BOUNDARY, UNSEEN)] if number else []
            phones = self.lexicon.get(word.casefold(), "").split()
            ids += [self.ids.get(phone, UNSEEN) for phone in phones] or [UNSEEN]
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """Return the words between the boundaries."""
        names = (self.names[number - 1] for number in ids)
        groups = [list(group) for boundary, group in groupby(names, BOUNDARY.__eq__) if not boundary]
        return " ".join(self.spoken.get(" ".join(group), "-".join(group)) for group in groups)

    def _check(self, words: Sequence[str], lexicon: Mapping[str, str]) -> None:
        if not words:
            raise SeqlabError("head ctc: the texts of the training split hold no word")
        if missing := sorted(word for word in words if word.casefold() not in lexicon):
            raise SeqlabError(
                f"head ctc: lexicon {self.path} lacks {len(missing)} of the {len(words)} words of the"
                f" training split: {shortened(map(repr, missing))}"
            )


def read_lexicon(path: Path) -> dict[str, str]:
    """Return each word's first pronunciation, phones apart by one space, words case-folded.

    A line holds a word and its phones, apart by spaces or tabs, as in CMUdict and Kaldi; `word(2)` is a
    further pronunciation, `;;;` begins a comment line and ` # ` a comment. DataError with file and line
    where a word has no phones or the text is not UTF-8; SeqlabError where there is no such file.
    """
    lexicon: dict[str, str] = {}
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SeqlabError(f"head ctc: cannot read lexicon {path}: {reason}") from error
    for number, line in enumerate(content.splitlines(), start=1):
        place = Place(str(path), number)
        try:
            fields = line.decode().split()
        except UnicodeDecodeError as error:
            raise DataError(f"a lexicon is UTF-8 text, got the bytes {line!r}", place=place) from error
        if not fields or fields[0].startswith(";;;"):
            continue
        word, *phones = fields[: fields.index("#")] if "#" in fields[1:] else fields
        if not phones:
            raise DataError(f"word {word!r} has no phones", place=place)
        lexicon.setdefault(VARIANT.sub("", word).casefold(), " ".join(phones))
    return lexicon


def _numbered(names: Sequence[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(names, start=1)}
