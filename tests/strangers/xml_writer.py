"""A stranger's writer: an XML document with an element for each prediction, of any kinds that have a text."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from seqlab.api import Prediction, Writer, WriterContext, hookimpl


class Xml(Writer):
    name = "xml"
    summary = "an XML document with an element for each value"

    def fault(self, context: WriterContext) -> str:
        return "" if len(context.answers) == 1 else "one answer is expected"

    def begin(self, prediction: Prediction, context: WriterContext) -> str:
        return "<answers>\n"

    def end(self, context: WriterContext) -> str:
        return "</answers>\n"

    def write(self, prediction: Prediction, context: WriterContext) -> str:
        example = prediction.example
        given = " ".join(
            f"{field}={quoteattr(kind.to_text(example.fields[field]))}"
            for field, kind in context.inputs.items()
        )
        ((target, answer),) = prediction.answers.items()
        text = context.answers[target].to_text(answer.value)
        return f"<{target} {given}>{escape(text)}</{target}>\n"


@hookimpl
def seqlab_register_writers() -> list[Writer]:
    return [Xml()]
