from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from fake_distributions import ENCODER_PLUGIN, Distribution, install, write_module

from seqlab.errors import PluginError
from seqlab.plugin import PluginInfo, Plugins, disabled_from


def loaded(**options: Any) -> Plugins:
    plugins = Plugins(**options)
    plugins.load_entry_points()
    return plugins


def names_of(plugins: Plugins) -> list[str]:
    return [info.name for info in plugins.infos]


# --- files ---------------------------------------------------------------------------------------------


def test_a_file_is_a_plugin_named_by_its_stem(site: Path) -> None:
    file = write_module(site / "fake_crf.py", ENCODER_PLUGIN.format(name="crf"))
    path, known = list(sys.path), "fake_crf" in sys.modules
    one, two = Plugins(), Plugins()
    one.load_file(file)
    two.load_file(file)
    assert (sys.path, "fake_crf" in sys.modules) == (path, known)
    assert [(info.name, info.origin) for info in one.infos] == [("fake_crf", f"file {file}")]
    assert one.registry.get("encoder", "crf").config is not two.registry.get("encoder", "crf").config
    assert one.registry.source("encoder", "crf") == f"{file}:7"


def test_a_file_with_postponed_annotations_works(site: Path) -> None:
    source = "\n    from __future__ import annotations" + ENCODER_PLUGIN.format(name="crf").replace(
        "'''No keys.'''", "size: int = 3"
    )
    plugins = Plugins()
    plugins.load_file(write_module(site / "fake_late.py", source))
    assert plugins.registry.get("encoder", "crf").config().model_dump() == {"size": 3}


def test_two_labs_get_the_documentation_of_one_file(site: Path) -> None:
    file = write_module(
        site / "fake_documented.py",
        ENCODER_PLUGIN.format(name="crf").replace("'''No keys.'''", "size: int = 3; '''Units.'''"),
    )
    for plugins in (Plugins(), Plugins()):
        plugins.load_file(file)
        assert (
            plugins.registry.get("encoder", "crf").config.model_json_schema()["properties"]["size"][
                "description"
            ]
            == "Units."
        )


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("x = 1\ny = x / 0\n", "ZeroDivisionError: division by zero ({file}:2)"),
        ("import fake_missing\n", "ModuleNotFoundError: No module named 'fake_missing' ({file}:1)"),
        ("x = 1\ndef f(:\n", "SyntaxError: invalid syntax ({file}:2)"),
        ("raise SystemExit(3)\n", "SystemExit: 3 ({file}:1)"),
    ],
)
def test_a_file_that_fails_is_named_with_line_and_exception(site: Path, source: str, reason: str) -> None:
    file = write_module(site / "fake_broken.py", source)
    before = set(sys.modules)
    plugins = Plugins()
    with pytest.raises(PluginError) as caught:
        plugins.load_file(file)
    assert str(caught.value) == f"plugin 'fake_broken': importing {file} raised {reason.format(file=file)}"
    assert caught.value.__cause__ is not None
    assert (plugins.infos, plugins.failures) == ((), ())
    assert not {name for name in set(sys.modules) - before if "fake_broken" in name}


def test_a_missing_file_and_what_is_no_python_file(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=r"^plugin 'x': .*x\.py does not exist or is not a file$"):
        Plugins().load_file(tmp_path / "x.py")
    with pytest.raises(
        PluginError, match=r"^plugin 'x': .*x\.yaml is no Python file; its name must end in \.py$"
    ):
        Plugins().load_file(tmp_path / "x.yaml")


# --- entry points --------------------------------------------------------------------------------------


def install_encoder(site: Path, name: str, component: str, plugin_name: str = "") -> None:
    module = f"fake_{name.replace('-', '_')}"
    source = ENCODER_PLUGIN.format(name=component)
    install(site, Distribution(name=name, module=module, source=source, plugin=plugin_name))


def test_an_installed_plugin_is_found_with_its_distribution(site: Path) -> None:
    install_encoder(site, "seqlab-crf", "crf", "crf")
    (info,) = loaded().infos
    assert info == PluginInfo(
        "crf", "seqlab-crf", "1.0", "entry point", (("encoder", "crf"),), ("seqlab_register_encoders",)
    )


def test_a_raising_import_is_isolated(site: Path) -> None:
    install_encoder(site, "a-good", "good_a")
    file = install(site, Distribution(name="broken", module="fake_broken", source="import fake_dependency"))
    install_encoder(site, "z-good", "good_z")
    plugins = loaded()
    (failure,) = plugins.failures
    assert str(failure) == (
        "plugin 'broken' (broken 1.0): importing fake_broken raised "
        f"ModuleNotFoundError: No module named 'fake_dependency' ({file}:1)"
    )
    assert (failure.plugin, failure.distribution, failure.version) == ("broken", "broken", "1.0")
    assert names_of(plugins) == ["a-good", "z-good"]
    assert plugins.registry.names("encoder") == ("good_a", "good_z")


def test_a_plugin_that_leaves_python_is_isolated(site: Path) -> None:
    install(site, Distribution(name="leaves", module="fake_leaves", source="raise SystemExit(1)"))
    install_encoder(site, "z-good", "good")
    plugins = loaded()
    assert [failure.plugin for failure in plugins.failures] == ["leaves"]
    assert names_of(plugins) == ["z-good"]


def test_a_misspelt_hook_is_isolated(site: Path) -> None:
    misspelt = ENCODER_PLUGIN.format(name="x").replace("register_encoders", "register_encoder")
    install(site, Distribution(name="misspelt", module="fake_misspelt", source=misspelt))
    install_encoder(site, "z-good", "good")
    plugins = loaded()
    assert [str(failure) for failure in plugins.failures] == [
        "plugin 'misspelt' (misspelt 1.0): unknown hook 'seqlab_register_encoder'; "
        "did you mean 'seqlab_register_encoders'?"
    ]
    assert names_of(plugins) == ["z-good"]


def test_of_two_that_claim_one_component_the_first_stays(site: Path) -> None:
    install_encoder(site, "claim-a", "crf")
    install_encoder(site, "claim-b", "crf")
    plugins = loaded()
    assert [str(failure) for failure in plugins.failures] == [
        "plugin 'claim-b' (claim-b 1.0): seqlab_register_encoders: "
        "encoder 'crf' is already registered by plugin 'claim-a'"
    ]
    assert plugins.registry.owner("encoder", "crf") == "claim-a"


def test_of_two_of_one_plugin_name_the_first_stays(site: Path) -> None:
    install_encoder(site, "dist-a", "one", "crf")
    install_encoder(site, "dist-b", "two", "crf")
    plugins = loaded()
    assert [str(failure) for failure in plugins.failures] == [
        "plugin 'crf' (dist-b 1.0): another plugin of this name is already registered "
        "(entry point of dist-a 1.0)"
    ]
    assert plugins.registry.names("encoder") == ("one",)


def test_an_entry_point_without_its_module_is_isolated(site: Path) -> None:
    install(site, Distribution(name="gone", module="fake_gone", source="")).unlink()
    (failure,) = loaded().failures
    assert str(failure) == (
        "plugin 'gone' (gone 1.0): importing fake_gone raised "
        "ModuleNotFoundError: No module named 'fake_gone'"
    )


def test_damaged_entry_points_are_isolated(site: Path) -> None:
    install_encoder(site, "damaged", "x")
    (site / "damaged-1.0.dist-info" / "entry_points.txt").write_text("[seqlab]\nno equals sign\n")
    install_encoder(site, "z-good", "good")
    plugins = loaded()
    (failure,) = plugins.failures
    assert str(failure).startswith("plugin 'damaged' (damaged 1.0): reading its entry points raised ")
    assert names_of(plugins) == ["z-good"]


def test_a_distribution_seen_twice_on_the_path_is_loaded_once(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_encoder(site, "twice", "crf")
    (site / "second").mkdir()
    install_encoder(site / "second", "Twice", "crf")
    monkeypatch.setattr(sys, "path", [*sys.path, str(site / "second")])
    plugins = loaded()
    assert (names_of(plugins), plugins.failures) == (["twice"], ())


def test_strict_raises_the_first_failure(site: Path) -> None:
    install(site, Distribution(name="broken", module="fake_broken", source="1 / 0"))
    with pytest.raises(PluginError, match="ZeroDivisionError"):
        loaded(strict=True)


def test_disabled_plugins_are_not_even_imported(site: Path) -> None:
    install(site, Distribution(name="broken", module="fake_broken", source="1 / 0"))
    install_encoder(site, "good", "crf")
    plugins = loaded(disabled={"broken", "not-installed"})
    assert (names_of(plugins), plugins.failures, plugins.disabled) == (["good"], (), ("broken",))
    assert "fake_broken" not in sys.modules
    nothing = loaded(disabled={"all"})
    assert (nothing.infos, nothing.disabled) == ((), ("broken", "good"))


@pytest.mark.parametrize(("value", "names"), [("", set()), (" a, b-c,,", {"a", "b-c"}), ("all", {"all"})])
def test_disabled_from(value: str, names: set[str]) -> None:
    assert disabled_from(value) == names


def test_settings_that_cannot_be_built_are_the_fault_of_their_plugin(site: Path) -> None:
    source = ENCODER_PLUGIN.format(name="crf").replace("'''No keys.'''", "opened: type(open) = None")
    plugins = Plugins()
    reason = "building the settings of encoder 'crf' raised PydanticSchemaGenerationError"
    with pytest.raises(PluginError, match=reason):
        plugins.load_file(write_module(site / "fake_unbuildable.py", source))
    assert not plugins.registry.names("encoder")
