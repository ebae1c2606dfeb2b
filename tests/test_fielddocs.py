from __future__ import annotations

from seqlab.fielddocs import field_docs
from seqlab.settings import Config, documentation


class Documented:
    """The class's own string is that of no field."""

    plain: int = 1
    """One line."""
    wide: str = "x"
    """Three lines,

        the second indented,
    the third not.
    """
    bare: int
    number: int = 2
    3  # noqa: B018 - a constant, but no text

    def method(self) -> None:
        """Belong to no field."""


def test_the_string_below_a_field_is_its_documentation() -> None:
    assert field_docs(Documented) == {
        "plain": "One line.",
        "wide": "Three lines,\n\n    the second indented,\nthe third not.",
    }


def test_a_class_within_a_function_is_read_as_well() -> None:
    class Inner:
        size: int = 1
        """Units, with a line
that starts at the margin."""

    assert field_docs(Inner) == {"size": "Units, with a line\nthat starts at the margin."}


def test_what_has_no_source_has_no_documentation() -> None:
    assert field_docs(type("Made", (), {"__module__": "made"})) == {}
    assert field_docs(int) == {}


def test_fields_of_a_base_keep_theirs() -> None:
    class Base(Config):
        one: int = 1
        """First."""
        two: int = 2
        """Second."""

    class Derived(Base):
        two: int = 3
        """Another."""

    assert documentation(Derived) == {"one": "First.", "two": "Another."}
    schema = Derived.model_json_schema()["properties"]
    assert (schema["one"]["description"], schema["two"]["description"]) == ("First.", "Another.")
