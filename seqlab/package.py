"""The trained model on disk: a folder that holds weights and a manifest, and never any code.

    model.safetensors   weights
    components/         files of components' own, each in a folder by itself (where one has any)
    package.json        format, checksum, recipe, what was learned (vocabularies, labels), metrics, versions

Opening a package unpickles nothing and imports nothing that the package could name: its components are looked
up among the plugins that the host has loaded. It takes no more memory than the files of the package warrant.
"""

from __future__ import annotations

import hashlib
import os
import secrets
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
from seqlab.engine.measured import made_to_measure, read_header
from seqlab.engine.seeding import DrawnApart
from seqlab.keeping import load_files, save_files
from seqlab.manifest import FORMAT, MANIFEST, manifest_bytes, read_manifest, sealed
from seqlab.openfile import open_regular, partial_name
from seqlab.plugin import Registry
from seqlab.plugin.hookspecs import PROJECT
from seqlab.recipe import Surroundings, load_resolved

__all__ = ["OpenPackage", "check_room", "open_package", "save_package", "without_training"]

MISFITS = (
    SeqlabError,
    SafetensorError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What parts raise that are given what other parts have learned, or data of another shape."""

LONGEST = 1000
"""Characters of such an error that are told; torch names every tensor."""

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
    tensors = save_tensors(weights(model))
    files = {WEIGHTS: {"sha256": hashlib.sha256(tensors).hexdigest(), "bytes": len(tensors)}}
    partial = partial_name(folder)
    try:
        partial.mkdir(parents=True)
        files |= save_files(partial, assembly)
        content = _manifest(assembly, {**facts, "files": files}, len(tensors))
        write_atomically(partial / WEIGHTS, tensors)
        write_atomically(partial / MANIFEST, content)
        _swap(partial, folder)
    except OSError as error:
        raise PackageError(f"{folder}: cannot be written: {error.strerror or error}") from error


def check_room(assembly: Assembly, model: SequenceModel) -> None:
    """PackageError where a manifest cannot hold what was learned, so that it is told before the training."""
    _manifest(assembly, {}, sum(each.numel() * each.element_size() for each in model.state_dict().values()))


def _manifest(assembly: Assembly, facts: Mapping[str, Any], size: int) -> bytes:
    """Return the content of the manifest beside so many bytes of weights."""
    whole = {"format": FORMAT, **facts, "recipe": assembly.recipe.resolved(), "learned": assembly.state()}
    return manifest_bytes(sealed(whole), size)


def _swap(new: Path, folder: Path) -> None:
    """Put `new` in the place of the folder; there is a whole package under one of their names at any time."""
    old = folder.with_name(f"{folder.name}.{secrets.token_hex(8)}.old")
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
    registers; before more memory is taken than its files have, should it ask for that.
    """
    manifest = read_manifest(folder, _size(folder / WEIGHTS))
    try:
        needed = without_training(manifest["recipe"])
        surroundings = Surroundings(registry.catalogue(), settling=registry.settling)
        recipe = load_resolved(needed, surroundings)
    except RecipeError as error:
        raise PackageError(f"{folder}: {_missing_plugins(manifest, registry)}{error}") from error
    try:
        assembly = Assembly(recipe, registry, device)
        assembly.restore(manifest["learned"])
        load_files(folder, assembly, manifest["files"])
        model = _model(folder / WEIGHTS, assembly, manifest)
    except PackageError:
        raise
    except MISFITS as error:
        # A fault of a plugin may be its own; seqlab's parts refuse what the package asks of them.
        if isinstance(error, PluginError) and error.plugin != PROJECT:
            raise
        reason = " ".join(str(error).split())[:LONGEST]  # torch writes a line for each tensor
        raise PackageError(f"{folder}: the parts of the package do not fit together: {reason}") from error
    return OpenPackage(assembly, model.to(device).eval(), manifest)


def _model(path: Path, assembly: Assembly, manifest: Mapping[str, Any]) -> SequenceModel:
    """Return the model of restored parts with the weights of the file."""
    try:
        with open_regular(path) as file:
            header = read_header(file, path)
            with DrawnApart():  # a training in another thread goes on, and repeats
                model = made_to_measure(assembly.model, header)
            file.seek(0)
            content = file.read()
    except OSError as error:
        raise PackageError(f"{path}: cannot be read: {error.strerror}") from error
    _check(path, content, manifest)
    model.load_state_dict(load_tensors(content))
    return model


def _size(path: Path) -> int:
    """Return the bytes of a file; 0 where there is none, which is told when it is opened."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _check(path: Path, content: bytes, manifest: Mapping[str, Any]) -> None:
    entry = manifest["files"].get(path.name)
    expected = entry.get("sha256") if isinstance(entry, dict) else None
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise PackageError(f"{path}: damaged: sha256 is {found}, the manifest says {expected}")


def _missing_plugins(manifest: Mapping[str, Any], registry: Registry) -> str:
    owners = manifest.get("components")
    if not isinstance(owners, dict):
        return ""
    known = {f"{kind}.{name}" for kind, names in registry.catalogue().items() for name in names}
    missing = sorted({str(owner) for component, owner in owners.items() if component not in known})
    if not missing:
        return ""
    named = ", ".join(missing)
    return (
        f"it says that it needs plugins that are not loaded: {named}; check that you trust them before you"
        " install them; "
    )
