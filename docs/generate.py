"""Writes the reference pages that follow from the code: command line, components, settings, Python API.

    python docs/generate.py            write them
    python docs/generate.py --check    exit 1 and name each page that is out of date

The pages describe seqlab alone: installed plugins are left out. Neither torch nor numpy is loaded.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from seqlab import Lab
from seqlab.cli.components import describe, keys_of, names_of
from seqlab.cli.main import seqlab
from seqlab.cli.options import Session
from seqlab.plugin import KINDS
from seqlab.settings import (
    SGD,
    Adam,
    AdamW,
    Config,
    ConstantSchedule,
    CosineSchedule,
    EarlyStopping,
    LinearSchedule,
    OneCycleSchedule,
    PlateauSchedule,
    TrainSettings,
)

__all__ = ["main", "pages"]

REFERENCE = Path(__file__).parent / "reference"

NOTE = "<!-- Written by docs/generate.py; change the code it describes, then run that script. -->"

HELP_WIDTH = 100
"""Columns of the help texts."""

OPTIMIZERS: tuple[type[Config], ...] = (SGD, Adam, AdamW)
SCHEDULES: tuple[type[Config], ...] = (
    ConstantSchedule,
    LinearSchedule,
    CosineSchedule,
    OneCycleSchedule,
    PlateauSchedule,
)

SECTIONS = {"optimizer": "optimizers", "schedule": "schedules", "early_stopping": "early_stopping"}
"""Keys of `train` that hold mappings, with the heading under which theirs are documented."""

WITHOUT_DOCSTRING = {"hookimpl": "Marks a function or a method as the implementation of a hook."}
"""What is said of names that are made by a call and so cannot say it themselves."""

DETAILED = (
    "seqlab.lab.Lab",
    "seqlab.run.RunOptions",
    "seqlab.predict.predictor.Predictor",
    "seqlab.plugin.answers.Prediction",
    "seqlab.plugin.answers.Answer",
    "seqlab.plugin.fields.FieldKind",
    "seqlab.plugin.writers.Writer",
    "seqlab.plugin.declarations.Declaration",
    *(
        f"seqlab.plugin.kinds.{name}"
        for name in ("Reader", "Featurizer", "Augmenter", "Encoder", "Head", "Metric")
    ),
    "seqlab.audio.sound.Audio",
    "seqlab.engine.progress.Observer",
    "seqlab.engine.model.FeaturizerModule",
    "seqlab.engine.model.HeadModule",
)
"""Classes whose members are listed, too: what an application calls, and what a plugin's parts must be."""


def pages() -> dict[str, str]:
    """Return the text of every generated page by its file name."""
    lab = Lab(entry_points=False)
    return {
        "cli.md": cli_page(lab),
        "components.md": components_page(lab),
        "python-api.md": api_page(),
        "settings.md": settings_page(),
    }


# --- command line ----------------------------------------------------------------------------------------


def cli_page(lab: Lab) -> str:
    """Return the help of `seqlab` and of each of its commands."""
    session = Session(made=lab)
    session.gather_commands(lab)
    root = click.Context(
        seqlab, info_name="seqlab", terminal_width=HELP_WIDTH, obj=session, **seqlab.context_settings
    )
    parts = [page_head("Command line"), fenced(seqlab.get_help(root))]
    for name in seqlab.list_commands(root):
        command = seqlab.get_command(root, name)
        assert command, "only what exists is listed"
        parts += command_parts(command, name, root)
    return joined(parts)


def command_parts(command: click.Command, name: str, parent: click.Context) -> list[str]:
    """Return heading and help of a command, then those of the commands below it."""
    context = click.Context(command, parent=parent, info_name=name, terminal_width=HELP_WIDTH)
    parts = [f"## {context.command_path}", fenced(command.get_help(context))]
    for below in getattr(command, "commands", {}):
        parts += command_parts(command.commands[below], below, context)  # type: ignore[attr-defined]
    return parts


def fenced(text: str) -> str:
    """Return a text as a block that is no code."""
    return f"```text\n{text.strip()}\n```"


# --- components and settings -----------------------------------------------------------------------------


def components_page(lab: Lab) -> str:
    """Return every built-in component with its keys."""
    parts = [
        page_head("Components"),
        "What a recipe can name without any plugin. With plugins: `seqlab components`.",
    ]
    for kind in KINDS:
        parts.append(f"## {kind.capitalize()}s")
        for name in lab.registry.names(kind):
            parts += component_parts(lab, kind, name)
    for heading, kind in (("Kinds of fields", "field_kind"), ("Writers", "writer")):
        found = (describe(lab.registry, kind, name) for name in names_of(lab.registry, kind))
        parts += [f"## {heading}", "\n".join(f"- `{one['name']}`: {one['summary']}" for one in found)]
    return joined(parts)


def component_parts(lab: Lab, kind: str, name: str) -> list[str]:
    """Return heading, summary, documentation and keys of one component."""
    about = describe(lab.registry, kind, name)
    config = lab.registry.get(kind, name).config
    details = [documentation(config), table(about["keys"])] if about["keys"] else ["No keys."]
    return [f"### {kind} `{name}`", sentence(about["summary"]), *details]


def settings_page() -> str:
    """Return the keys of `train`, its optimizers and its schedules."""
    named = [
        ("## Optimizers", "train.optimizer", OPTIMIZERS),
        ("## Schedules", "train.schedule", SCHEDULES),
    ]
    parts = [page_head("Training settings"), "The keys of `train` in a recipe.", table(train_keys())]
    for heading, key, configs in named:
        parts += [heading, f"`{key}` is a mapping with one of these names and the keys below it."]
        for config in configs:
            keys = [each for each in keys_of(config) if each["key"] != "name"]
            parts += [f"### `{config.model_fields['name'].default}`", documentation(config), table(keys)]
    parts += ["## early_stopping", documentation(EarlyStopping), table(keys_of(EarlyStopping))]
    return joined(parts)


def train_keys() -> list[dict[str, Any]]:
    """Return the keys of `train`; those that hold mappings point to their own sections."""
    keys = keys_of(TrainSettings)
    for key in keys:
        if key["key"] in SECTIONS:
            null = " or null" if key["default"] is None else ""
            key["type"] = f"[mapping](#{SECTIONS[key['key']]}){null}"
    return keys


def table(keys: Sequence[Mapping[str, Any]]) -> str:
    """Return keys as a table: name, type, default, meaning."""
    rows = [
        f"| `{key['key']}` | {cell(key['type'])} | {default(key)} | {cell(key['documentation'])} |"
        for key in keys
    ]
    return "\n".join(["| key | type | default | meaning |", "|---|---|---|---|", *rows])


def default(key: Mapping[str, Any]) -> str:
    """Return a key's default as a recipe would write it; of a named mapping the name says enough.

    Other mappings are settings whose keys have rows of their own.
    """
    if key["required"]:
        return "required"
    value = key["default"]
    if isinstance(value, Mapping) and value:
        return f"`{{name: {value['name']}}}`" if "name" in value else "that of its keys"
    return f"`{value}`" if isinstance(value, str) else f"`{json.dumps(value)}`"


def cell(text: str) -> str:
    """Return a text on one line, without what would end a table's cell."""
    return " ".join(text.split()).replace("|", "\\|")


def documentation(config: type[Config]) -> str:
    """Return the docstring of a settings class as paragraphs."""
    text = config.__doc__ or ""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def sentence(summary: str) -> str:
    """Return a summary as a sentence."""
    return f"{summary[:1].upper()}{summary[1:]}."


# --- Python ----------------------------------------------------------------------------------------------


def api_page() -> str:
    """Return every public name with the first line of its documentation."""
    parts = [page_head("Python")]
    for module, words in (
        ("seqlab", "For applications. Importing it loads neither torch nor numpy."),
        ("seqlab.api", "For plugins; the names of the engine load torch on first use."),
        ("seqlab.engine", "Sequences, models and training in plain torch, usable alone."),
    ):
        parts += [f"## {module}", words, names_table(module)]
    for path in DETAILED:
        parts += members_parts(path)
    return joined(parts)


def names_table(module: str) -> str:
    """Return the names in a module's `__all__` as a table."""
    rows = [f"| `{name}` | {cell(first_line(module, name))} |" for name in public_names(module)]
    return "\n".join(["| name | |", "|---|---|", *rows])


def members_parts(path: str) -> list[str]:
    """Return the documentation of one class and a table of its public methods and properties."""
    module, _, name = path.rpartition(".")
    node = next(each for each in source(module).body if isinstance(each, ast.ClassDef) and each.name == name)
    text = ast.get_docstring(node) or ""
    methods = [each for each in node.body if isinstance(each, ast.FunctionDef) and each.name[0] != "_"]
    rows = [f"| `{signature(each)}` | {cell(summary(each))} |" for each in methods]
    listed = ["\n".join(["| member | |", "|---|---|", *rows])] if rows else []
    return [f"## {path}", text, *listed]


def signature(function: ast.FunctionDef) -> str:
    """Return a method as it is called, `|` escaped for tables; a property is its bare name."""
    if any(isinstance(each, ast.Name) and each.id == "property" for each in function.decorator_list):
        return function.name
    arguments = ast.unparse(function.args).removeprefix("self").removeprefix(", ")
    returns = f" -> {ast.unparse(function.returns)}" if function.returns else ""
    return f"{function.name}({arguments}){returns}".replace("|", "\\|")


def first_line(module: str, name: str) -> str:
    """Return the first line of what documents a name, found in the source, so that nothing is imported."""
    for node in statements(source(module)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return summary(node)
        if isinstance(node, ast.ImportFrom) and name in {alias.name for alias in node.names}:
            return first_line(str(node.module), name)
    return attribute_line(module, name)


def attribute_line(module: str, name: str) -> str:
    """Return the string below an assignment, or what is assigned where there is none."""
    if name in WITHOUT_DOCSTRING:
        return WITHOUT_DOCSTRING[name]
    body = source(module).body
    for node, below in zip(body, [*body[1:], None], strict=True):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if name in {target.id for target in targets if isinstance(target, ast.Name)}:
            if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
                return str(below.value.value).split("\n", 1)[0]
            assert isinstance(node, ast.Assign | ast.AnnAssign)
            assert node.value
            return f"`{ast.unparse(node.value)}`"
    raise LookupError(f"{module} documents no {name}")


def statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yield the statements of a module, those below `if TYPE_CHECKING:` included."""
    for node in tree.body:
        yield from node.body if isinstance(node, ast.If) else [node]


def summary(node: ast.ClassDef | ast.FunctionDef) -> str:
    """Return the first line of a docstring."""
    return (ast.get_docstring(node) or "").split("\n", 1)[0]


def public_names(module: str) -> list[str]:
    """Return a module's `__all__`, read from its source."""
    for node in source(module).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    raise LookupError(f"{module} has no __all__")


@functools.cache
def source(module: str) -> ast.Module:
    """Return the syntax tree of a module."""
    spec = importlib.util.find_spec(module.partition(".")[0])
    assert spec
    assert spec.origin
    root = Path(spec.origin).parent.parent
    path = root.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text(encoding="utf-8"))


# --- writing ---------------------------------------------------------------------------------------------


def page_head(title: str) -> str:
    """Return the title of a page below the note that it is generated."""
    return f"{NOTE}\n# {title}"


def joined(parts: Sequence[str]) -> str:
    """Return the parts of a page with an empty line between them."""
    return "\n\n".join(part for part in parts if part) + "\n"


@click.command
@click.option("--check", is_flag=True, help="Write nothing; exit 1 where a page is out of date.")
def main(*, check: bool) -> None:
    """Write the generated pages, or check them."""
    stale = [name for name, text in pages().items() if current(name) != text]
    for name in stale:
        if check:
            click.echo(f"docs/reference/{name} is out of date; run: python docs/generate.py", err=True)
        else:
            (REFERENCE / name).write_text(pages()[name], encoding="utf-8")
            click.echo(f"wrote docs/reference/{name}")
    if check and stale:
        raise SystemExit(1)


def current(name: str) -> str:
    """Return what a page holds now, nothing where there is no such file."""
    path = REFERENCE / name
    return path.read_text(encoding="utf-8") if path.exists() else ""


if __name__ == "__main__":
    main()
