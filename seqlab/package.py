"""The trained model on disk: a folder that holds weights and a manifest, and never any code.

    model.safetensors   weights
    package.json        format, recipe, what was learned (vocabularies, labels), metrics, versions, sha256

Opening a package unpickles nothing and imports nothing that the package could name: its components are looked
up among the plugins that the host has loaded.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from seqlab.api import PackageError, PluginError, RecipeError, SeqlabError
from seqlab.assembly import Assembly
from seqlab.engine import SequenceModel
from seqlab.engine.checkpoint import weights, write_atomically
from seqlab.engine.seeding import seeded
from seqlab.plugin import Registry
from seqlab.recipe import Surroundings, load_recipe

__all__ = ["FORMAT", "OpenPackage", "open_package", "save_package", "without_training"]

FORMAT = 2
"""The format that this version writes, and the newest that it reads.

1: recurrent weights are named by the stack's layers (`layers.1.weight_ih_l0`), which it still accepts.
2: they are named as torch names them (`weight_ih_l1`).
"""

MISFITS = (SeqlabError, SafetensorError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What parts raise that are given what other parts have learned, or data of another shape."""

MANIFEST = "package.json"
WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class OpenPackage:
    """What a package holds, put together: the parts, the model and the manifest."""

    assembly: Assembly
    model: SequenceModel
    manifest: Mapping[str, Any]


def save_package(folder: Path, assembly: Assembly, model: SequenceModel, facts: Mapping[str, Any]) -> None:
    """Write a package as a whole: the folder appears, or is replaced, when everything in it is on the disk.

    `facts` (metrics, plugin versions, data fingerprints) go into the manifest as they are. PackageError where
    it cannot be written.
    """
    partial = folder.with_name(folder.name + ".partial")
    tensors = save_tensors(weights(model))
    manifest = {
        "format": FORMAT,
        **facts,
        "recipe": assembly.recipe.resolved(),
        "learned": assembly.state(),
        "files": {WEIGHTS: {"sha256": hashlib.sha256(tensors).hexdigest(), "bytes": len(tensors)}},
    }
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        write_atomically(partial / WEIGHTS, tensors)
        write_atomically(partial / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False).encode())
        _swap(partial, folder)
    except OSError as error:
        raise PackageError(f"{folder}: cannot be written: {error.strerror or error}") from error


def _swap(new: Path, folder: Path) -> None:
    """Put `new` in the place of the folder; there is a whole package under one of their names at any time."""
    old = folder.with_name(folder.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    try:
        new.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise
    descriptor = os.open(folder.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    shutil.rmtree(old, ignore_errors=True)


def without_training(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return a packaged recipe without what only training needs, which may be missing where it is used."""
    # A resolved recipe has no base: none is looked for.
    return {**recipe, "requires": [], "augment": [], "observers": [], "extends": None}


def open_package(folder: Path, registry: Registry, device: torch.device) -> OpenPackage:
    """Read a package, check it against its manifest and put its parts together.

    PackageError where it is missing, damaged, of a newer format, or needs a component that no loaded plugin
    registers.
    """
    manifest = _manifest(folder)
    try:
        needed = without_training(manifest["recipe"])
        recipe = load_recipe(needed, Surroundings(registry.catalogue()), check_data=False, check_files=False)
    except RecipeError as error:
        raise PackageError(f"{folder}: {_missing_plugins(manifest, registry)}{error}") from error
    try:
        assembly = Assembly(recipe, registry, device)
        assembly.restore(manifest["learned"])
        with seeded(0):  # the first weights are drawn in vain; the host's generator must not notice
            model = assembly.model()
        model.load_state_dict(load_tensors(_checked(folder, manifest)))
    except (PackageError, PluginError):
        raise
    except MISFITS as error:
        raise PackageError(f"{folder}: the parts of the package do not fit together: {error}") from error
    return OpenPackage(assembly, model.to(device).eval(), manifest)


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise PackageError(f"{folder}: {_no_package(folder)}") from None
    except OSError as error:
        raise PackageError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise PackageError(f"{path}: cannot be read: {error}") from error
    number = manifest.get("format") if isinstance(manifest, dict) else None
    if type(number) is not int or number < 1:  # a bool is an int, too
        raise PackageError(f"{path}: not a manifest of a model package: it has no format number")
    if number > FORMAT:
        raise PackageError(
            f"{path}: format {number} is newer than {FORMAT}, the newest that this seqlab reads;"
            " upgrade it with: pip install --upgrade seqlab"
        )
    for key in ("recipe", "learned", "files"):
        if not isinstance(manifest.get(key), dict):
            raise PackageError(f"{path}: damaged: {key!r} is missing")
    return dict(manifest)


def _no_package(folder: Path) -> str:
    """Say what stands where a package was expected."""
    if not folder.exists():
        return "does not exist"
    if not folder.is_dir():
        return "not a model package but a file; give the folder that holds it"
    if (folder / "model" / MANIFEST).exists():
        return f"not a model package but the folder of a run; its model is {folder / 'model'}"
    return f"not a model package (there is no {MANIFEST} in it)"


def _checked(folder: Path, manifest: Mapping[str, Any]) -> bytes:
    path = folder / WEIGHTS
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PackageError(f"{path}: cannot be read: {error.strerror}") from error
    entry = manifest["files"].get(WEIGHTS)
    expected = entry.get("sha256") if isinstance(entry, dict) else None
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise PackageError(f"{path}: damaged: sha256 is {found}, the manifest says {expected}")
    return content


def _missing_plugins(manifest: Mapping[str, Any], registry: Registry) -> str:
    owners = manifest.get("components")
    if not isinstance(owners, dict):
        return ""
    known = {f"{kind}.{name}" for kind, names in registry.catalogue().items() for name in names}
    missing = sorted({str(owner) for component, owner in owners.items() if component not in known})
    return f"it needs plugins that are not loaded: {', '.join(missing)}; " if missing else ""
