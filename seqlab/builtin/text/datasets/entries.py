"""The text sets of the catalogue: tagging, classes, pronunciation, a language model, word vectors.

Checksums are those of the very files that the URLs name, at that commit; of what is prepared, those of the
result.
"""

from __future__ import annotations

from seqlab.api import DatasetEntry
from seqlab.builtin.core.datasets.github import github
from seqlab.builtin.text.datasets import preparation as text

__all__ = ["TEXT_SETS"]


NLTK = ("nltk/nltk_data", "5db857e6f7df11eabb5e5665836db9ec8df07e28")

POS_EWT = DatasetEntry(
    name="pos_ewt",
    summary="part-of-speech tagging: UD English-EWT, 254,818 words of weblogs, mail, reviews and answers",
    licence="CC BY-SA 4.0",
    citation="Natalia Silveira and others: A Gold Standard Dependency Corpus for English. LREC 2014",
    origin="github:UniversalDependencies/UD_English-EWT at 15d613d8447b, 2025-05-10",
    reader={"name": "conllu", "text": "form", "label": "upos"},
    splits={"train": "train.conllu", "dev": "dev.conllu", "test": "test.conllu"},
    downloads=github(
        "UniversalDependencies/UD_English-EWT",
        "15d613d8447b3478787d4c278730a1e48a945efb",
        {
            "train.conllu": (
                "en_ewt-ud-train.conllu",
                "3fb78e2b55482c8ee00caa653af436c88c9e5bc9a73ce26e4ae3ddc79d2b7e7b",
            ),
            "dev.conllu": (
                "en_ewt-ud-dev.conllu",
                "531a54ff90d6ab12201c5a50c3e78e6ddac4de69abc4bce5d275d3cd29efe2b6",
            ),
            "test.conllu": (
                "en_ewt-ud-test.conllu",
                "e266e515a0a7547657ed3d90d9ba46487d6bd251f27ad4269d4e8a427c8555cd",
            ),
            "README.md": ("README.md", "099677d6938869b4e855e6ec6548fc24ffeb5fce90e1cd985847f7049664f29e"),
            "LICENSE.txt": (
                "LICENSE.txt",
                "b3d1b0f4c6ae151f7eb78738f46ebd5ee140f8a7f76501ba26af123140d35ae7",
            ),
        },
    ),
    notes="official splits of 12,544, 2,001 and 2,077 sentences; 17 UPOS and 49 XPOS tags",
)

CHUNK_CONLL2000 = DatasetEntry(
    name="chunk_conll2000",
    summary="chunking: CoNLL-2000, Wall Street Journal, 259,104 words with POS tags and BIO chunks",
    licence="none stated; shared-task data of Wall Street Journal text: research use, do not republish",
    citation="Erik F. Tjong Kim Sang and Sabine Buchholz: Introduction to the CoNLL-2000 Shared Task. CoNLL"
    " 2000",
    origin="github:nltk/nltk_data at 5db857e6f7df, 2023-02-02: packages/corpora/conll2000.zip",
    splits={"train": "train.txt", "dev": "dev.txt", "test": "test.txt"},
    downloads=github(
        *NLTK,
        {
            "conll2000.zip": (
                "packages/corpora/conll2000.zip",
                "01e65164f268366e7caa0db92332a1955d081908c87016e2c7640c3c5279b7cd",
            )
        },
    ),
    files={
        "train.txt": "da54dab3f7c4bf237da0840e230830f05850d824a5b51d9fa975472b1ea9f049",
        "dev.txt": "7d01aa245ae6853afaa8a950facb8dcb8f059324c0f35263f204ece1e64ad263",
        "test.txt": "73b7b1e565fa75a1e22fe52ecdf41b6624d6f59dacb591d44252bf4d692b1628",
        "train_official.txt": "82033cd7a72b209923a98007793e8f9de3abc1c8b79d646c50648eb949b87cea",
    },
    prepare=text.prepare_conll2000,
    notes="dev is every tenth sentence of the official training data, which is train_official.txt; columns"
    " word, POS, chunk tag",
)

NER_WNUT17 = DatasetEntry(
    name="ner_wnut17",
    summary="named entities: WNUT 2017, 101,857 words of social media, 6 emerging types as BIO",
    licence="CC BY 4.0",
    citation="Leon Derczynski and others: Results of the WNUT2017 Shared Task on Novel and Emerging Entity"
    " Recognition. W-NUT 2017",
    origin="github:leondz/emerging_entities_17 at e52a2d2a71ac, 2022-05-09",
    splits={"train": "train.conll", "dev": "dev.conll", "test": "test.conll"},
    downloads=github(
        "leondz/emerging_entities_17",
        "e52a2d2a71ac1a051ca2d532eef28653c5c02603",
        {
            "train.conll": (
                "wnut17train.conll",
                "731820e13f71af324c6b55a1575ec2ce59fbaa2a0806f8f0400b98d56cd6a7a5",
            ),
            "dev.conll": (
                "emerging.dev.conll",
                "e053b752b8155113ca66e7db08af5f2f5f43ab993694e4774f1ec5bad42312d8",
            ),
            "test.conll": (
                "emerging.test.annotated",
                "2aa79b764e56ec9264a1b30fdd9b70195bd00ff400b62edd8f399d5f13c178f0",
            ),
            "README.md": ("README.md", "7dba67f5d6f7789af3b36af9cbea54b73705f86df100002ae202a9c2f5750157"),
        },
    ),
    notes="official splits of 3,394, 1,009 and 1,287 sentences; columns word and tag, tab between; blank"
    " lines may hold tabs",
)

CLS_RT_POLARITY = DatasetEntry(
    name="cls_rt_polarity",
    summary="sentiment of sentences: 10,662 snippets of film reviews, two balanced classes",
    licence="CC BY 4.0",
    citation="Bo Pang and Lillian Lee: Seeing Stars: Exploiting Class Relationships for Sentiment"
    " Categorization with Respect to Rating Scales. ACL 2005",
    origin="github:nltk/nltk_data at 5db857e6f7df, 2023-02-02: packages/corpora/sentence_polarity.zip",
    reader={"name": "tsv", "names": ["label", "text"]},
    splits={"train": "train.tsv", "dev": "dev.tsv", "test": "test.tsv"},
    downloads=github(
        *NLTK,
        {
            "sentence_polarity.zip": (
                "packages/corpora/sentence_polarity.zip",
                "6e1ed4405b65c7eabf1d199a7f7c437091ac21da0ea7467b410a74062574566b",
            )
        },
    ),
    files={
        "train.tsv": "204efa214948cdd67ff6d1820ef768cbde6219a69ee9c6c799df577754b92089",
        "dev.tsv": "0dfc42020488029477b7dc3b8c0f224ccdfae79aeb66682e97e4799419c843da",
        "test.tsv": "e5adee317f745df0c427e1bbfeab85b7a9474fb6a76d9541198299e69d8c68dd",
    },
    prepare=text.prepare_rt_polarity,
    notes="no official split: by the last digit of the line's number, 9 test and 8 dev (8,530, 1,066,"
    " 1,066); label, tab, text",
)

CLS_MOVIE_REVIEWS = DatasetEntry(
    name="cls_movie_reviews",
    summary="sentiment of documents: 2,000 film reviews of several hundred words, two balanced classes",
    licence="CC BY 4.0",
    citation="Bo Pang and Lillian Lee: A Sentimental Education: Sentiment Analysis Using Subjectivity"
    " Summarization Based on Minimum Cuts. ACL 2004",
    origin="github:nltk/nltk_data at 5db857e6f7df, 2023-02-02: packages/corpora/movie_reviews.zip",
    reader={"name": "tsv", "names": ["label", "text"]},
    splits={"train": "train.tsv", "dev": "dev.tsv", "test": "test.tsv"},
    downloads=github(
        *NLTK,
        {
            "movie_reviews.zip": (
                "packages/corpora/movie_reviews.zip",
                "a41211ae685019137410268134db6a1a14428c89b671eb83056151a878539008",
            )
        },
    ),
    files={
        "train.tsv": "56fd25788253c1ec66739aa2c806f07104013a7443d9e99382a16a48ff0c768e",
        "dev.tsv": "f2decd1a3dafbe0cf93fead27a117a228b46f40646dfd13f43b22a45900e2dbd",
        "test.tsv": "caf993daa3868fa339533214e35c26eec9e468ff42aff1dead25fa129db0b81a",
    },
    prepare=text.prepare_movie_reviews,
    notes="the customary folds: cv9 test, cv8 dev (1,600, 200, 200); label, tab, the review on one line",
)

CLS_CLINC150 = DatasetEntry(
    name="cls_clinc150",
    summary="intents: CLINC150, 22,500 short queries of 150 classes, and 1,200 out of scope",
    licence="CC BY 3.0",
    citation="Stefan Larson and others: An Evaluation Dataset for Intent Classification and Out-of-Scope"
    " Prediction. EMNLP-IJCNLP 2019",
    origin="github:clinc/oos-eval at 828f8093932c, 2021-05-31: data/data_full.json",
    reader={"name": "tsv", "names": ["label", "text"]},
    splits={"train": "train.tsv", "dev": "val.tsv", "test": "test.tsv"},
    downloads=github(
        "clinc/oos-eval",
        "828f8093932c8fe6ca7936c3d2e52903b1c523de",
        {
            "data_full.json": (
                "data/data_full.json",
                "36923c3705a59e08fe9c3883d8bc2dd966ef93e22cb78ac41171782a698d56e0",
            ),
            "domains.json": (
                "data/domains.json",
                "b947b579d3b8e74b06f93b01083d8efaff2888b43a3e362533bd88a6e1211b3a",
            ),
            "LICENSE": ("LICENSE", "e6bc9e9c474700b708f568bac9e5a8a9bcb2b1dad53442f5ba449fcb848b8e76"),
        },
    ),
    files={
        "train.tsv": "6b088a0fe4701e4b8bba121343f29924821c2d05f57b5e3a0f5fce8b380b45f1",
        "val.tsv": "b9bc7761b45e43398cd4df045153ed8b0be0a477f8d9d9ec433efcdf7f1e42cf",
        "test.tsv": "4d082d90655eeb30dbcb897c73b73b560674ff9087767a6783011e83d233d4d1",
        "oos_train.tsv": "4ae520344fe75a231016868186b744a7242c157322c47033aefc5f1846aa922a",
        "oos_val.tsv": "a20a929a2299dcb3908fc15d40c82a41d8805aad07a2155ea380c9bc08639857",
        "oos_test.tsv": "198268c5afe2d10a9298e0cf353cbfb242796b91fe4f0ea439611f833f2c26c4",
    },
    prepare=text.prepare_clinc150,
    notes="official splits of 15,000, 3,000 and 4,500, and oos_*.tsv; label, tab, text; two sentences of"
    " test are in train as well, as published",
)

S2S_CMUDICT = DatasetEntry(
    name="s2s_cmudict",
    summary="spelling to phonemes: the CMU Pronouncing Dictionary, 133,973 English pairs",
    licence="BSD-style, Carnegie Mellon University",
    citation="The CMU Pronouncing Dictionary, Carnegie Mellon University, 1993-2024",
    origin="github:cmusphinx/cmudict at 0f8072f81430, 2024-12-17",
    splits={"train": "train.tsv", "dev": "dev.tsv", "test": "test.tsv"},
    downloads=github(
        "cmusphinx/cmudict",
        "0f8072f814306c5ee4fbf992ed853601b12c01f9",
        {
            "cmudict.dict": (
                "cmudict.dict",
                "81917843c7f44ce2b094ac63873c2c7a4cf802040792c455ba3ca406891c3d22",
            ),
            "cmudict.phones": (
                "cmudict.phones",
                "ffb588a5e55684723582c7256e1d2f9fadb130011392d9e59237c76e34c2cfd6",
            ),
            "cmudict.symbols": (
                "cmudict.symbols",
                "408ccaae803641c6d7b626b6299949320c2dbca96b2220fd3fb17887b023b027",
            ),
            "README": ("README", "00c34e7564f1f6a68de02e12c123d801471da92bc3091f7d89b605f238bf8554"),
            "LICENSE": ("LICENSE", "bd4ce8e44170a5f9f481310ca85c51de3c4f851a65e679b40e603b143bd3542a"),
        },
    ),
    files={
        "train.tsv": "38b00c3054d9685f3794aee67ae92879dff6c6f641983cbbd2247eca53e61473",
        "dev.tsv": "ebca7a79a7110802ff2dba0140840767323fcb863d9be7c7ac3b347b4e3c84ba",
        "test.tsv": "32e404093c37589c3dd0b4c4dd5c46562949fab63617c6d2d4d726377a2df605",
        "cmudict.dict": "81917843c7f44ce2b094ac63873c2c7a4cf802040792c455ba3ca406891c3d22",
    },
    prepare=text.prepare_cmudict,
    notes="split by a hash of the word (120,542, 6,682, 6,749 pairs); word, tab, ARPAbet with stress; a word"
    " with several pronunciations has several lines",
)

LM_TINYSHAKESPEARE = DatasetEntry(
    name="lm_tinyshakespeare",
    summary="character language model: 1,115,394 characters of Shakespeare, 65 distinct",
    licence="the text is in the public domain; its repository: MIT",
    citation="Andrej Karpathy: char-rnn, 2015",
    origin="github:karpathy/char-rnn at 6f9487a6fe5b, 2016-04-30: data/tinyshakespeare/input.txt",
    reader={"name": "text", "by": "file"},
    splits={"train": "train.txt", "dev": "dev.txt", "test": "test.txt"},
    downloads=github(
        "karpathy/char-rnn",
        "6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e",
        {
            "input.txt": (
                "data/tinyshakespeare/input.txt",
                "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
            )
        },
    ),
    files={
        "input.txt": "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        "train.txt": "a9e24e23a1ec77744dad26844bfd5a09b6e041954e1eef0000e7f24cba6db735",
        "dev.txt": "c64e90c160750d91a9d2d9b1ace5eab1a440f5a1701d32a8e97a179b7839f1c8",
        "test.txt": "8b5a8c8af45905547ad03b7aae6980a277a5dd78924a6e6ac64b75d63d7d40bd",
    },
    prepare=text.prepare_tinyshakespeare,
    notes="no official split: 90, 5 and 5 % by position",
)

VEC_GLOVE_TWITTER25 = DatasetEntry(
    name="vec_glove_twitter25",
    summary="word vectors: GloVe of Twitter, 11,925 frequent English words x 25, as text",
    licence="the vectors: PDDL 1.0 (Stanford); the package they were taken from: GPL-3",
    citation="Jeffrey Pennington, Richard Socher and Christopher D. Manning: GloVe. EMNLP 2014",
    origin="github:rimonim/embedplyr at 12ceed9c9260, 2025-11-11: data/glove_twitter_25d.rda",
    files={"glove.twitter.25d.12k.txt": "bec4b94e97bd5dce096f020987211bfa2bd3690952689a11aecf55c25fac36cc"},
    by_hand="it is published as a file of R data, which seqlab cannot read. In R: load glove_twitter_25d.rda"
    " and write each row as `word v1 ... v25`, 6 significant digits, to glove.twitter.25d.12k.txt",
)

TEXT_SETS = (
    POS_EWT,
    CHUNK_CONLL2000,
    NER_WNUT17,
    CLS_RT_POLARITY,
    CLS_MOVIE_REVIEWS,
    CLS_CLINC150,
    S2S_CMUDICT,
    LM_TINYSHAKESPEARE,
    VEC_GLOVE_TWITTER25,
)
"""In the order of `seqlab data list` before it is sorted: by task."""
