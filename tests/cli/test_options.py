"""The options that commands share offer what the settings of the same name allow."""

from __future__ import annotations

from typing import get_args

import click

from seqlab.cli.options import precision_option
from seqlab.settings import Precision


def test_the_option_offers_the_precisions_that_a_recipe_may_name() -> None:
    command = click.command(precision_option(lambda precision: precision))
    (option,) = command.params
    assert isinstance(option.type, click.Choice)
    assert tuple(option.type.choices) == get_args(Precision)
