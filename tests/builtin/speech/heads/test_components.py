from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from seqlab.api import HeadContext, SeqlabError
from seqlab.builtin.speech.heads.components import CTCConfig
from seqlab.builtin.speech.heads.ctc import CTCHead
from seqlab.builtin.speech.heads.units import BytePairs, Characters, Phones
from seqlab.builtin.speech.plugin import seqlab_register_heads
from seqlab.testing import check_head

(COMPONENT,) = seqlab_register_heads()
FIELDS: dict[str, str] = {"audio": "audio", "text": "text"}
LEXICON = "one W AH N\ntwo T UW\nthree TH R IY\n"


def built(fields: dict[str, str] = FIELDS, **config: Any) -> CTCHead:
    made = COMPONENT.build(CTCConfig(**config), HeadContext(fields))
    assert isinstance(made, CTCHead)
    return made


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"target": "text", "loss_weight": 0.5, "dropout": 0.3},
        {"units": {"name": "characters"}},
        {"units": {"name": "bpe", "vocab_size": 12}},
        {"units": {"name": "phones", "lexicon": "words.dict"}},
    ],
)
def test_the_head_keeps_the_contract(
    config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("words.dict").write_text(LEXICON)
    check_head(COMPONENT, **config)


def test_the_readers_only_text_field_is_the_target() -> None:
    made = built()
    assert made.target == "text"
    assert made.default_metrics == ("wer", "cer")
    assert isinstance(made.units, Characters)
    assert isinstance(built(units={"name": "bpe"}).units, BytePairs)
    assert isinstance(built(units={"name": "phones", "lexicon": "x"}).units, Phones)


@pytest.mark.parametrize(
    ("config", "fields", "message"),
    [
        (
            {},
            {"audio": "audio", "a": "text", "b": "text"},
            "head ctc learns text, of which the reader delivers 2 fields: name the one that is meant; one"
            " of: a, b",
        ),
        (
            {},
            {"tokens": "tokens", "upos": "labels"},
            "head ctc learns text, but the reader delivers none, only: tokens (tokens), upos (labels)",
        ),
        (
            {"target": "upos"},
            {"upos": "labels", "text": "text"},
            "head ctc learns text, but field 'upos' holds labels; one of: text",
        ),
        (
            {"target": "txt"},
            {"audio": "audio", "text": "text"},
            "head ctc learns field 'txt', which the reader does not deliver; did you mean 'text'?; one of:"
            " audio, text",
        ),
    ],
)
def test_a_target_that_is_none_is_refused(config: dict[str, Any], fields: Any, message: str) -> None:
    with pytest.raises(SeqlabError, match=f"^{re.escape(message)}$"):
        built(fields, **config)


@pytest.mark.parametrize(
    "config",
    [
        {"units": {"name": "characters", "vocab_size": 100}},
        {"units": {"name": "phones"}},
        {"units": {"name": "bpe", "vocab_size": 1}},
        {"units": {"name": "words"}},
        {"loss_weight": 0.0},
    ],
)
def test_settings_that_mean_nothing_are_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CTCConfig(**config)


def test_bpe_declares_that_it_needs_sentencepiece_and_says_so_where_it_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (component,) = seqlab_register_heads()
    pieces = component.declares(component.config(units={"name": "bpe"}))
    assert pieces.modules == (("sentencepiece", 'pip install "seqlab[speech]"'),)
    assert component.declares(component.config()).modules == ()
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    made = built(units={"name": "bpe"})
    message = r'^head ctc: units bpe need sentencepiece \(.*\): pip install "seqlab\[speech\]"$'
    with pytest.raises(SeqlabError, match=message):
        made.fit(["one two"])


def test_registering_needs_no_torch_no_numpy_and_no_sentencepiece() -> None:
    script = (
        "import sys\n"
        "from seqlab.builtin.speech.plugin import seqlab_register_heads, seqlab_register_observers\n"
        "for component in (*seqlab_register_heads(), *seqlab_register_observers()):\n"
        "    component.config()\n"
        "assert not {'torch', 'numpy', 'sentencepiece'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
