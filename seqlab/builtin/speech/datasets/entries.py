"""The speech sets of the catalogue.

Where an archive has no published checksum, what is made of it is checked.
"""

from __future__ import annotations

from functools import partial

from seqlab.api import DatasetEntry, Download
from seqlab.builtin.speech.datasets import preparation as speech

__all__ = ["SPEECH_SETS"]

GITHUB = "https://github.com"

SPEECH_AN4 = DatasetEntry(
    name="speech_an4",
    summary="continuous speech: CMU AN4, 84 speakers spell and read numbers, 16 kHz, 48 minutes",
    licence="BSD-style, Carnegie Mellon University: free for any use",
    citation="The CMU Alphanumeric Database (AN4), Carnegie Mellon University, 1991",
    origin="http://www.speech.cs.cmu.edu/databases/an4: an4_sphere.tar.gz",
    reader={"name": "speech"},
    splits={"train": "train.jsonl", "dev": "dev.jsonl", "test": "test.jsonl"},
    manifest_key="audio",
    downloads=(
        Download(
            name="an4_sphere.tar.gz",
            urls=(
                "https://dldata-public.s3.us-east-2.amazonaws.com/an4_sphere.tar.gz",
                "http://www.speech.cs.cmu.edu/databases/an4/an4_sphere.tar.gz",
            ),
            max_bytes=150_000_000,
        ),
    ),
    files={
        "train.jsonl": "1be436dfa5bb23db51982eb3159e4c36f6134e228b5fe0e0abfb0e0f2d9f7d02",
        "dev.jsonl": "561cbde6b0dc2d2ef65a5a20fdf23391d80a4c4d6f01087dd1ee3939f92b9847",
        "test.jsonl": "c89f9a9d30197fb7f629b2f3ef8da286b4e1cf970385f4956ddfe3ce74fef041",
    },
    extras={
        "an4.dic": "fc9bdde3129339f4cb7c0f8938e2dc569b640155cad994c8aab032b25fcccd5d",
        "LICENSE": "065196b947a2a8b9b351e4d06d9f582955150e4c628ef0b48ea10488a28d8e57",
    },
    prepare=partial(
        speech.prepare_an4,
        samples_sha256="5258e1afe7e3548fc708269bdea9d353c99aeffb6551dc274f14370dcfe92e5e",
    ),
    notes="of the 948 official training utterances those of eight speakers are dev: 849 / 99 / 130"
    " utterances; an4.dic is the pronunciation lexicon",
)

SPEECH_KATHLEEN = DatasetEntry(
    name="speech_kathleen",
    summary="read speech: CMU Arctic prompts by one US speaker, 16 kHz, 1.4 hours",
    licence="CC0 1.0",
    citation="Rhasspy: Voice Dataset (Kathleen), 2020; prompts of John Kominek and Alan W Black: The CMU"
    " Arctic Speech Databases. SSW 2004",
    origin="github:rhasspy/dataset-voice-kathleen at c51cb971036a, 2020-10-09",
    reader={"name": "speech", "columns": {"text": "norm"}},
    splits={"train": "train.jsonl", "dev": "dev.jsonl", "test": "test.jsonl"},
    manifest_key="audio",
    downloads=(
        Download(
            name="kathleen.tar.gz",
            urls=(
                f"{GITHUB}/rhasspy/dataset-voice-kathleen/archive/c51cb971036a127359b43c621f26ca5081eab13e.tar.gz",
            ),
            max_bytes=1_500_000_000,
        ),
    ),
    files={
        "train.jsonl": "ecd04174648063d0ccf14031059c0d04480d53642014900f09328d8fd4e41090",
        "dev.jsonl": "31bbc1a3efd4680ad57971404a25b0f6fb4d599d235d4ea2727efa445877875c",
        "test.jsonl": "7c99926aa9e677f9f0ed51527a888a69bc2f3263f48ddfab8d57f9b5183ea243",
    },
    prepare=partial(
        speech.prepare_kathleen,
        source_sha256="0387920a08580485a3ca7c186ee5c6e01ce841ad7de50d11870b9558210f0fd4",
    ),
    notes="fetches 0.9 GB of 48 kHz stereo and keeps 40 MB of 16 kHz OGG Vorbis; split by prompt, no"
    " sentence in two: 1,320 / 147 / 153 utterances; `norm` is the text in a-z, apostrophe and space",
)

SPEECH_FSDD = DatasetEntry(
    name="speech_fsdd",
    summary="spoken digits: Free Spoken Digit Dataset, 6 speakers, 3,000 words, 8 kHz",
    licence="CC BY-SA 4.0",
    citation="Zohar Jackson and others: Free Spoken Digit Dataset, 2016-2024",
    origin="github:Jakobovski/free-spoken-digit-dataset at 26eb9aaf76e8, 2024-05-02",
    reader={"name": "speech", "sample_rate": 8000},
    splits={"train": "train.jsonl", "test": "test.jsonl"},
    manifest_key="audio",
    downloads=(
        Download(
            name="fsdd.tar.gz",
            urls=(
                f"{GITHUB}/Jakobovski/free-spoken-digit-dataset/archive/26eb9aaf76e81b692f806f9140c2d2777410d7a1.tar.gz",
            ),
            max_bytes=150_000_000,
        ),
    ),
    files={
        "train.jsonl": "f6e6c088604bfe26798dd065273f3d90fd4439a34b9ff644043b84497aa4476d",
        "test.jsonl": "ec1f04f6771fe040e99755efc90e4641b27543d2197718c74377173f13b1188a",
        "spk_train.jsonl": "b7a69fb03ac04fcd152f4cbff73d95b8e815c43c7c8ec242c57e2179b4a42b20",
        "spk_dev.jsonl": "61b073f58e783b5c379cec7b4a90dfbf2150596368fcc0087cfa5f4515f96bc2",
        "spk_test.jsonl": "b6c45a1d2c91be4e405fdd7b971de301546e3204270b6d0b477c04f8329aa423",
    },
    trees={"wav": "1a9d871193d521660c6b0fe86162d936b33fe6491fb6ae24e7de1f4a15e514c6"},
    prepare=speech.prepare_fsdd,
    notes="official split of 2,700 / 300 with the same speakers in both; spk_train, spk_dev and"
    " spk_test.jsonl share no speaker: 2,000 / 500 / 500",
)

SPEECH_SETS = (SPEECH_AN4, SPEECH_KATHLEEN, SPEECH_FSDD)
"""The sets of this module."""
