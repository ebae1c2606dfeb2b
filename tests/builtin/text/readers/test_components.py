from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from seqlab.api import ReaderContext
from seqlab.builtin.text.plugin import seqlab_register_readers
from seqlab.builtin.text.readers.components import ConlluConfig


def test_the_component_builds_the_reader_from_yaml_values() -> None:
    (component,) = (each for each in seqlab_register_readers() if each.name == "conllu")
    context = ReaderContext()
    reader = component.build(component.config(label=["upos", "feats.Number"]), context)
    assert reader.fields == {
        "tokens": "tokens",
        "upos": "labels",
        "feats.Number": "labels",
    }
    assert component.build(component.config(), context).fields == {
        "tokens": "tokens",
        "upos": "labels",
    }


NAMES = "one of: deprel, deps, feats, form, head, lemma, misc, upos, xpos, feats.KEY, misc.KEY"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"label": "uops"}, f"unknown column 'uops'; did you mean 'upos'? ({NAMES})"),
        ({"label": ["upos", "XPOS"]}, f"unknown column 'XPOS'; did you mean 'xpos'? ({NAMES})"),
        ({"label": "feat.Case"}, f"unknown column 'feat.Case'; did you mean 'feats'? ({NAMES})"),
        ({"text": "id"}, f"unknown column 'id' ({NAMES})"),
        ({"label": "upos.Case"}, "'upos.Case': column 'upos' has no keys; only feats and misc have"),
        ({"label": "feats."}, "'feats.': '' is no key; write for instance feats.Number"),
        ({"label": ["upos", "xpos", "upos"]}, "label 'upos' is named twice"),
        ({"text": "upos"}, "label 'upos' is also the text; choose another column for one of them"),
    ],
)
def test_wrong_settings(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ConlluConfig.model_validate(values)
    assert [problem["msg"] for problem in caught.value.errors()] == [f"Value error, {message}"]


@pytest.mark.parametrize("label_setting", [[], 3, [3]])
def test_label_is_a_name_or_a_list_of_names(label_setting: object) -> None:
    with pytest.raises(ValidationError):
        ConlluConfig.model_validate({"label": label_setting})


def test_reading_settings_and_files_needs_no_torch_and_no_numpy(tmp_path: Path) -> None:
    path = tmp_path / "t.conllu"
    path.write_text("1\tdog\t_\tNOUN" + "\t_" * 6 + "\n\n")
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from seqlab.api import ReaderContext\n"
        "from seqlab.builtin.text.plugin import seqlab_register_readers\n"
        "component = next(each for each in seqlab_register_readers() if each.name == 'conllu')\n"
        "list(component.build(component.config(), ReaderContext()).read(Path(sys.argv[1])))\n"
        "assert not {'torch', 'numpy'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script, path], check=True)
