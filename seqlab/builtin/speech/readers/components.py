"""The built-in readers of speech, by manifest and in the layouts of well-known corpora."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from seqlab.api import Component, Config, Declaration, ReaderContext
from seqlab.audio import AudioSettings, Limits
from seqlab.builtin.core.bounds import BOUNDS, PAIR

if TYPE_CHECKING:
    from seqlab.builtin.speech.readers.joined_speech import JoinedReader
    from seqlab.builtin.speech.readers.manifests import Columns
    from seqlab.builtin.speech.readers.utterances import CorpusLayout, SpeechReader

__all__ = [
    "COMPONENTS",
    "ColumnsConfig",
    "CommonVoiceConfig",
    "FolderConfig",
    "JoinedSpeechConfig",
    "NormalizeConfig",
    "SpeechConfig",
    "SpeechManifestConfig",
    "build_joined_speech",
    "build_speech",
    "problems",
]

LIMITS = Limits(max_duration=60.0)
"""What the readers refuse where a recipe says nothing else."""

Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(ge=0, le=60)]
ChannelNumber = Annotated[int, Field(ge=0)]


class NormalizeConfig(Config):
    """How texts are brought into one form, in the order of the keys."""

    unicode: Literal["NFC", "NFD", "NFKC", "NFKD"] | None = "NFC"
    """Normal form of Unicode; null leaves texts as they are."""
    case: Literal["lower", "upper"] | None = None
    """Case that all letters are brought to; null keeps it."""
    case_of: dict[Annotated[str, Field(min_length=1, max_length=1)], str] = Field(default_factory=dict)
    """Letters of which `case` makes another than Unicode says: `{I: ı, İ: i}` in Turkish."""  # noqa: RUF001
    replace: dict[Annotated[str, Field(min_length=1)], str] = Field(default_factory=dict)
    """What to replace by what, in one pass; where several fit, the longest one does."""
    remove: str = ""
    """Characters that are taken out, punctuation say: `.,;:!?"`."""
    collapse_spaces: bool = True
    """Make any run of white space one space, and none at either end."""


class SpeechConfig(Config):
    """What all readers of speech can be told."""

    sample_rate: int = Field(default=16_000, ge=1_000)
    """Rate in Hz that all sound is brought to."""
    channel: ChannelNumber | Literal["mix"] = "mix"
    """The channel that is read, counted from 0; `mix` is the mean of all."""
    normalize: NormalizeConfig = NormalizeConfig()
    """How texts are normalised, before anything learns from them or scores with them."""
    alphabet: str | None = Field(default=None, min_length=1)
    """Characters (the space is one) that a normalised text may hold; others are refused; null: any."""
    min_duration: float = Field(default=LIMITS.min_duration, ge=0)
    """Seconds below which an utterance is refused as too short."""
    max_duration: float | None = Field(default=LIMITS.max_duration, gt=0, validate_default=True)
    """Seconds above which an utterance is refused as too long in training; null: no limit."""
    min_level: float | None = Field(default=LIMITS.min_level, le=0)
    """Level in dB of full scale below which sound is refused as silent; null lets silence pass."""
    max_clipped: float = Field(default=LIMITS.max_clipped, ge=0, le=1)
    """Share of samples at full scale above which sound is refused as clipped in training."""
    min_file_rate: int = Field(default=LIMITS.min_sample_rate, ge=1)
    """Files of fewer samples a second are refused."""
    max_file_rate: int = Field(default=LIMITS.max_sample_rate, ge=1, validate_default=True)
    """Files of more samples a second are refused."""
    check: bool = True
    """Decode and check every sound when it is read; otherwise when it is used, and only its header before."""

    @field_validator("alphabet")
    @classmethod
    def _alphabet_without_doubles(cls, alphabet: str | None) -> str | None:
        doubled = next((sign for sign in alphabet or "" if (alphabet or "").count(sign) > 1), None)
        if doubled:
            raise ValueError(f"character {doubled!r} stands twice in the alphabet")
        return alphabet

    @field_validator("max_duration")
    @classmethod
    def _longer_than_the_least(cls, longest: float | None, info: ValidationInfo) -> float | None:
        least = info.data.get("min_duration")
        if longest is not None and least is not None and longest < least:
            raise ValueError(f"nothing would pass: min_duration is {least:g}, max_duration {longest:g}")
        return longest

    @field_validator("max_file_rate")
    @classmethod
    def _no_lower_than_the_least(cls, highest: int, info: ValidationInfo) -> int:
        least = info.data.get("min_file_rate")
        if least is not None and highest < least:
            raise ValueError(f"nothing would pass: min_file_rate is {least}, max_file_rate {highest}")
        return highest


class ColumnsConfig(Config):
    """The names of a manifest's keys or columns; null means that of the key itself, where it is there."""

    audio: str = "audio"
    """Path of the sound, relative to the manifest."""
    text: str | None = "text"
    """What is said; where that is not known, null: then there is no field `text`."""
    start: str | None = None
    """Where the utterance begins in the file, seconds."""
    end: str | None = None
    """Where it ends, seconds."""
    duration: str | None = None
    """Its length in seconds; with a start and no end it sets the end, otherwise it is checked."""
    sample_rate: str | None = None
    """The file's own rate in Hz, checked."""
    speaker: str | None = None
    """Who speaks."""
    label: str | None = None
    """Class of the utterance, which becomes the field `label`; no such field when null."""
    id: str | None = None
    """What names the utterance; no two may have the same."""


class SpeechManifestConfig(SpeechConfig):
    """Manifests: JSON Lines (`.jsonl`), or tables with named columns (`.tsv`, `.csv`)."""

    columns: ColumnsConfig = ColumnsConfig()
    """Names of the keys or columns; a null one has its own name and may be absent."""


class FolderConfig(SpeechConfig):
    """Sound files (`data/*.wav`) with their text beside them, under the same stem."""

    text_suffix: str = Field(default=".txt", pattern=r"^\.[^/]+$")
    """Ending of the files that hold the texts."""
    speaker: Literal["folder"] | None = None
    """`folder`: the folder that a file lies in has its speaker's name; null: nobody is named."""


class CommonVoiceConfig(SpeechConfig):
    """Common Voice: `train.tsv` and its like, the sound in a folder beside them."""

    clips: str = "clips"
    """The folder with the sound."""


class JoinedSpeechConfig(SpeechManifestConfig):
    """Clips of a manifest, as reader `speech` takes it, joined by speaker into longer utterances.

    Pairs of numbers are bounds, both included. Which clips are joined follows from the seed and the manifest;
    `train.seed` does not matter.
    """

    clips: Annotated[tuple[Count, Count], PAIR, BOUNDS] = (3, 7)
    """Clips in an utterance."""
    pause: Annotated[tuple[Seconds, Seconds], PAIR, BOUNDS] = (0.05, 0.5)
    """Silence between two clips, seconds."""
    uses: int = Field(default=4, ge=1)
    """How many utterances each clip stands in; with the number of clips it gives that of utterances."""
    seed: int = Field(default=1, ge=0)
    """Seed of the joining."""

    @field_validator("columns")
    @classmethod
    def _clips_have_texts_alone(cls, columns: ColumnsConfig) -> ColumnsConfig:
        if columns.text is None:
            raise ValueError("text: clips that are joined have texts; take the reader speech")
        if columns.label is not None:
            raise ValueError("label: clips that are joined have no class in common; take the reader speech")
        return columns


def build_speech(config: SpeechManifestConfig, context: ReaderContext) -> SpeechReader:
    """Make the reader of manifests."""
    from seqlab.builtin.speech.readers.manifests import Columns, ManifestLayout

    return _reader(config, ManifestLayout(Columns(**config.columns.model_dump())), context)


def build_folder(config: FolderConfig, context: ReaderContext) -> SpeechReader:
    """Make the reader of sound with texts beside it."""
    from seqlab.builtin.speech.readers.layouts import FolderLayout

    return _reader(config, FolderLayout(config.text_suffix, config.speaker), context)


def build_common_voice(config: CommonVoiceConfig, context: ReaderContext) -> SpeechReader:
    """Make the reader of Common Voice."""
    from seqlab.builtin.speech.readers.layouts import COMMON_VOICE
    from seqlab.builtin.speech.readers.manifests import ManifestLayout

    return _reader(config, ManifestLayout(COMMON_VOICE, config.clips, ".mp3"), context)


def build_librispeech(config: SpeechConfig, context: ReaderContext) -> SpeechReader:
    """Make the reader of LibriSpeech."""
    from seqlab.builtin.speech.readers.layouts import LibriSpeechLayout

    return _reader(config, LibriSpeechLayout(), context)


def build_kaldi(config: SpeechConfig, context: ReaderContext) -> SpeechReader:
    """Make the reader of Kaldi's data folders."""
    from seqlab.builtin.speech.readers.layouts import KaldiLayout

    return _reader(config, KaldiLayout(), context)


def build_joined_speech(config: JoinedSpeechConfig, context: ReaderContext) -> JoinedReader:
    """Make the reader that joins the clips of manifests."""
    from seqlab.builtin.speech.readers.joined_speech import JoinedReader, Joining

    joining = Joining(clips=config.clips, pause=config.pause, uses=config.uses)
    return JoinedReader(build_speech(config, context), joining, seed=config.seed)


def _reader(config: SpeechConfig, layout: CorpusLayout, context: ReaderContext) -> SpeechReader:
    from seqlab.builtin.speech.readers.transcripts import Normalizer
    from seqlab.builtin.speech.readers.utterances import SpeechReader

    limits = Limits(
        min_duration=config.min_duration,
        max_duration=config.max_duration,
        min_sample_rate=config.min_file_rate,
        max_sample_rate=config.max_file_rate,
        min_level=config.min_level,
        max_clipped=config.max_clipped,
    )
    settings = AudioSettings(sample_rate=config.sample_rate, channel=config.channel, limits=limits)
    normalizer = Normalizer(alphabet=config.alphabet, **config.normalize.model_dump())
    return SpeechReader(
        layout,
        normalizer,
        settings,
        annotations=_annotations(getattr(layout, "columns", ColumnsConfig())),
        check=config.check,
        refuse=context.refuse,
    )


def _annotations(columns: ColumnsConfig | Columns) -> dict[str, str]:
    """Return the keys of what is said and of an utterance's class by field, as far as there are such."""
    keys = {"text": columns.text, "label": columns.label}
    return {name: key for name, key in keys.items() if key is not None}


TABLE: tuple[tuple[str, type[Any], Callable[..., Any], str], ...] = (
    (
        "speech",
        SpeechManifestConfig,
        build_speech,
        "Speech by manifest: JSON Lines, TSV or CSV with a path and a text in each line",
    ),
    (
        "audio_folder",
        FolderConfig,
        build_folder,
        "Speech as sound files with their text beside them: a.wav and a.txt",
    ),
    (
        "common_voice",
        CommonVoiceConfig,
        build_common_voice,
        "Speech in the layout of Common Voice: train.tsv and a folder of clips",
    ),
    (
        "librispeech",
        SpeechConfig,
        build_librispeech,
        "Speech in the layout of LibriSpeech: *.trans.txt beside the sound",
    ),
    (
        "kaldi",
        SpeechConfig,
        build_kaldi,
        "Speech in the layout of Kaldi's data folders: wav.scp, text, segments, utt2spk",
    ),
    (
        "joined_speech",
        JoinedSpeechConfig,
        build_joined_speech,
        "Clips of a manifest joined by speaker into longer utterances",
    ),
)


def problems(recipe: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Return what in a recipe these readers cannot do."""
    reader = recipe["data"]["reader"]
    if reader["name"] not in {name for name, *_ in TABLE}:
        return
    # Damaged sound is to be left out, but is not looked for in time.
    if not reader["check"] and recipe["data"]["on_error"] == "skip":
        yield (
            "data.reader.check",
            "without it damaged sound is found when it is used, and cannot be left out any more: on_error:"
            " skip needs check: true",
        )
    yield from _impossible_keys(reader["normalize"])


def _impossible_keys(settings: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Return where characters are looked for that no text holds by then."""
    from seqlab.builtin.speech.readers.transcripts import Normalizer

    normalizer = Normalizer(**settings)
    for setting, text, reason in normalizer.impossible():
        yield f"data.reader.normalize.{setting}", f"{text!r} can never match: it {reason}"
    for letter, other, again in normalizer.undone():
        case = normalizer.case
        message = f"{letter!r} becomes {other!r}, and `case: {case}` makes that {again!r}"
        yield "data.reader.normalize.case_of", f"{message}; write letters in {case} case on the right"
    if settings["case_of"] and not settings["case"]:
        yield "data.reader.normalize.case_of", "changes nothing without `case`; set case: lower, or upper"


def _declared(config: Config) -> Declaration:
    columns = getattr(config, "columns", ColumnsConfig())
    return Declaration(fields={"audio": "audio"} | {name: name for name in _annotations(columns)})


COMPONENTS: tuple[Component[Any], ...] = tuple(
    Component(name=name, config=config, build=build, summary=summary, skips=True, declares=_declared)
    for name, config, build, summary in TABLE
)
