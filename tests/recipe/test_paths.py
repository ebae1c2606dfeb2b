from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from seqlab.errors import Place
from seqlab.recipe import Recipe, Surroundings, dump_recipe, load_recipe
from seqlab.recipe.paths import anchor, folder_of

Load = Callable[..., Recipe]
Lines = Callable[..., list[str]]


@pytest.fixture
def corpus(folder: Path) -> Path:
    """`corpus/` with b, a and deep/c, each `.conllu`; absolute and without links."""
    for name in ("b", "a", "deep/c"):
        file = folder / "corpus" / f"{name}.conllu"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return (folder / "corpus").resolve()


def data(whole: str, train: str, rest: str = "") -> str:
    return whole.replace("train: train.conllu", f"train: {train}{rest}")


def test_relative_paths_start_from_the_recipe(load: Load, whole: str, folder: Path) -> None:
    assert load(whole).paths == {"train": (folder.resolve() / "recipes/train.conllu",)}


def test_globs_are_sorted_and_lists_keep_their_order(load: Load, whole: str, corpus: Path) -> None:
    recipe = load(data(whole, "[train.conllu, ../corpus/*.conllu]", "\n  dev: ../corpus/deep/?.conllu"))
    names = [path.name for path in recipe.paths["train"]]
    assert names == ["train.conllu", "a.conllu", "b.conllu"]
    assert recipe.paths["dev"] == (corpus / "deep/c.conllu",)
    assert recipe.splits == {
        "train": ("train.conllu", "../corpus/*.conllu"),
        "dev": ("../corpus/deep/?.conllu",),
    }


def test_two_stars_reach_below_and_never_match_folders(load: Load, whole: str, corpus: Path) -> None:
    found = load(data(whole, "../corpus/**")).paths["train"]
    assert found == tuple(corpus / name for name in ("a.conllu", "b.conllu", "deep/c.conllu"))


def test_variables_are_put_in(load: Load, whole: str, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQLAB_DATA", str(corpus))
    monkeypatch.setenv("SEQLAB_PART", "deep")
    assert load(data(whole, "${SEQLAB_DATA}/a.conllu")).paths["train"] == (corpus / "a.conllu",)
    found = load(data(whole, "${SEQLAB_DATA}/${SEQLAB_PART}/*")).paths["train"]
    assert found == (corpus / "deep/c.conllu",)
    assert load(data(whole, "../corpus/${SEQLAB_PART}/c.conllu")).paths["train"] == found


def test_a_relative_variable_starts_from_the_current_folder(
    load: Load, whole: str, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEQLAB_DATA", "corpus")
    assert load(data(whole, "${SEQLAB_DATA}/a.conllu")).paths["train"] == (corpus / "a.conllu",)


def test_only_the_recipe_makes_globs(
    load: Load, whole: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = folder.resolve() / "a[1]*"
    odd.mkdir()
    (odd / "x.conllu").touch()
    monkeypatch.setenv("SEQLAB_DATA", str(odd))
    for text in ("${SEQLAB_DATA}/x.conllu", "${SEQLAB_DATA}/*.conllu"):
        assert load(data(whole, text)).paths["train"] == (odd / "x.conllu",)


def test_recipes_in_folders_with_odd_names(whole: str, folder: Path, surroundings: Surroundings) -> None:
    odd = folder.resolve() / "a[1] ${X}"
    odd.mkdir()
    (odd / "pos.yaml").write_text(whole)
    (odd / "train.conllu").touch()
    recipe = load_recipe(Path("a[1] ${X}/pos.yaml"), surroundings)
    assert recipe.paths["train"] == (odd / "train.conllu",)
    assert load_recipe(recipe.resolved(), surroundings) == recipe


def test_variables_are_left_alone_outside_paths(load: Load, whole: str) -> None:
    assert load(whole + "name: '${HOME}'\n").name == "${HOME}"


def test_links_keep_their_names(load: Load, whole: str, corpus: Path) -> None:
    (corpus / "link.conllu").symlink_to(corpus / "a.conllu")
    assert load(data(whole, "../corpus/link.conllu")).paths["train"] == (corpus / "link.conllu",)


def test_uris_go_to_the_locator(load: Load, whole: str, corpus: Path) -> None:
    asked = []

    def locate(uri: str, base: Path) -> Path | None:
        asked.append((uri, base))
        return corpus / "a.conllu"

    recipe = load(data(whole, "sample:${X}/*.conllu"), locate=locate)
    assert asked == [("sample:${X}/*.conllu", corpus.parent / "recipes")]
    assert recipe.paths["train"] == (corpus / "a.conllu",)
    assert recipe.resolved()["data"]["train"] == "sample:${X}/*.conllu"


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ("none.conllu", "no such file: {recipes}/none.conllu"),
        ("../none.conllu", "no such file: {root}/none.conllu"),
        ("/none.conllu", "no such file: /none.conllu"),
        ("~/none.conllu", "no such file: {recipes}/~/none.conllu"),
        ("C:\\none", "no such file: {recipes}/C:\\none"),
        ("../corpus", "{root}/corpus is a directory; name its files, e.g. with a glob: corpus/*"),
        ("'*.txt'", "no file matches '{recipes}/*.txt'"),
        ("../corpus/[x-z]*", "no file matches '{root}/corpus/[x-z]*'"),
        ("''", "expected a path, got an empty string"),
        ('"a\\0b"', "a path cannot hold the character U+0000, got 'a\\x00b'"),
        ("../corpus/dangling", "{root}/corpus/dangling is a link to nothing"),
        ("/dev/zero", "/dev/zero is a device or a pipe; data is read more than once and must be a file"),
        ("../corpus/dang*", "{root}/corpus/dangling is a link to nothing"),
        ("x" * 300, f"cannot look at '{'x' * 57}...': file name too long"),
        ("$HOME/x", "no such file: {recipes}/$HOME/x"),
        (
            "sampel:a.conllu",
            "nothing installed knows the scheme 'sampel:';"
            " write ./sampel:a.conllu if it is the name of a file",
        ),
        (
            "${SEQLAB_NONE}/a",
            "environment variable SEQLAB_NONE is not set; set it to the path meant,"
            " e.g. export SEQLAB_NONE=/path/to/folder",
        ),
        ("${SEQLAB_EMPTY}/a", "environment variable SEQLAB_EMPTY is empty; set it to the path meant"),
    ],
)
def test_files_that_are_not_there(
    lines: Lines, whole: str, corpus: Path, monkeypatch: pytest.MonkeyPatch, train: str, message: str
) -> None:
    monkeypatch.setenv("SEQLAB_EMPTY", "")
    (corpus / "dangling").symlink_to(corpus / "nothing")
    root = corpus.parent
    for name, path in {"{recipes}": root / "recipes", "{root}": root}.items():
        message = message.replace(name, str(path))
    found = lines(data(whole, train), locate=lambda uri, base: None)
    assert found == [f"recipes/pos.yaml:3:10: data.train: {message}"]


def test_a_located_file_must_exist(lines: Lines, whole: str, corpus: Path) -> None:
    assert lines(data(whole, "sample:x"), locate=lambda uri, base: corpus / "x") == [
        f"recipes/pos.yaml:3:10: data.train: no such file: {corpus}/x"
    ]


def test_a_file_given_twice_in_a_split(lines: Lines, whole: str, corpus: Path) -> None:
    text = data(whole, "[../corpus/a.conllu, ../corpus/deep/../*.conllu, train.conllu]")
    assert lines(text) == [
        f"recipes/pos.yaml:3:31: data.train.1: {corpus}/deep/../a.conllu given twice,"
        " here and in data.train.0 ('../corpus/a.conllu')"
    ]


def test_links_do_not_hide_a_file_given_twice(lines: Lines, whole: str, corpus: Path) -> None:
    (corpus / "link.conllu").symlink_to(corpus / "a.conllu")
    assert lines(data(whole, "../corpus/*.conllu")) == [
        f"recipes/pos.yaml:3:10: data.train: {corpus}/link.conllu given twice,"
        " here and in data.train ('../corpus/*.conllu')"
    ]


def test_a_file_in_two_splits_is_a_leak(lines: Lines, whole: str, corpus: Path) -> None:
    text = data(whole, "../corpus/*.conllu", f"\n  test: {corpus}/**/*.conllu\n  dev: train.conllu")
    assert lines(text) == [
        f"recipes/pos.yaml:4:9: data.test: {corpus}/a.conllu and 1 more given twice, here and in data.train"
        " ('../corpus/*.conllu'); no file may be in two splits"
    ]


def test_data_is_not_looked_at_where_it_is_not_wanted(
    whole: str, folder: Path, surroundings: Surroundings
) -> None:
    Path("pos.yaml").write_text(data(whole, "${SEQLAB_NONE}/a", "\n  dev: nosuch:x\n  test: none"))
    recipe = load_recipe(Path("pos.yaml"), surroundings, check_data=False)
    assert recipe.paths == {}
    assert recipe.splits["train"] == ("${SEQLAB_NONE}/a",)
    assert load_recipe(recipe.resolved(), surroundings, check_data=False) == recipe


def test_anchored_paths_have_no_dots_in_front(folder: Path) -> None:
    place = Place("recipes/pos.yaml", 1, 1)
    root = folder.resolve()
    assert folder_of(place) == root / "recipes"
    assert anchor("../.././/x/*.y", place) == str(root.parent / "x/*.y")
    for text in ("/a/../b", "${A}/b", "sample:b"):
        assert anchor(text, place) == text


# --- paths in the settings of components -----------------------------------------------------------------


@pytest.fixture
def sounds(folder: Path) -> Path:
    """`recipes/noise/rain.wav`, `room.wav` beside `recipes`, and a base recipe in `base/` with its own."""
    for name in ("recipes/noise/rain.wav", "room.wav", "base/wind.wav", "base/train.conllu"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    return folder.resolve()


AUGMENT = "augment: [{name: noise, files: [noise, ./noise/rain.wav], room: {response: ../room.wav}}]\n"


def test_relative_paths_of_settings_start_from_the_recipe(
    load: Load, whole: str, sounds: Path, surroundings: Surroundings
) -> None:
    recipe = load(whole + AUGMENT)
    (noise,) = recipe.resolved()["augment"]
    assert noise["files"] == [str(sounds / "recipes/noise"), str(sounds / "recipes/noise/rain.wav")]
    assert noise["room"] == {"response": str(sounds / "room.wav")}
    elsewhere = sounds / "runs/pos/recipe.yaml"
    elsewhere.parent.mkdir(parents=True)
    elsewhere.write_text(dump_recipe(recipe.resolved()))
    again = load_recipe(elsewhere, surroundings)
    assert again.resolved() == recipe.resolved()
    assert again == recipe


def test_a_path_of_a_base_starts_from_the_base_and_one_of_the_command_line_from_the_current_folder(
    load: Load, whole: str, sounds: Path
) -> None:
    (sounds / "base/base.yaml").write_text(whole + "augment: [{name: noise, files: [wind.wav, wind.wav]}]\n")
    recipe = load("extends: ../base/base.yaml\n", "augment.0.files.1=room.wav")
    assert recipe.resolved()["augment"][0]["files"] == [
        str(sounds / "base/wind.wav"),
        str(sounds / "room.wav"),
    ]


def test_variables_stay_in_settings(
    load: Load, whole: str, sounds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOUNDS", str(sounds))
    recipe = load(whole + "augment: [{name: noise, files: ['${SOUNDS}/room.wav']}]\n")
    assert recipe.resolved()["augment"][0]["files"] == ["${SOUNDS}/room.wav"]


def test_what_is_not_there_is_told_with_its_place(lines: Lines, whole: str, sounds: Path) -> None:
    files, room = "{name: noise, files: [noise, snow.wav]}", "{name: noise, room: {response: '${X}/a'}}"
    assert lines(f"{whole}augment:\n  - {files}\n  - {room}\n") == [
        f"recipes/pos.yaml:9:34: augment.0.files.1: no such file or folder: {sounds}/recipes/snow.wav",
        "recipes/pos.yaml:10:36: augment.1.room.response: environment variable X is not set; set it to the"
        " path meant, e.g. export X=/path/to/folder",
    ]


def test_files_of_settings_are_not_looked_for_where_only_training_needs_them(
    whole: str, sounds: Path, surroundings: Surroundings
) -> None:
    recipe = sounds / "recipes/gone.yaml"
    recipe.write_text(whole + "augment: [{name: noise, files: [gone.wav]}]\n")
    found = load_recipe(recipe, surroundings, check_files=False)
    assert found.resolved()["augment"][0]["files"] == [str(sounds / "recipes/gone.wav")]
