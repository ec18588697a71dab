"""`secure-openai check`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from secure_openai.cli.console import out, told_clearly
from secure_openai.errors import ConfigurationError
from secure_openai.policy.decision import Policy
from secure_openai.settings import Settings, policy_file


def check(
    policy: Annotated[
        Path | None,
        typer.Argument(help="A policy file to check by itself, without any settings."),
    ] = None,
) -> None:
    """Check all settings of the environment and the policy file, and say every problem at once.

    [bold]Examples[/bold]

      secure-openai check policy.toml
      secure-openai check
    """
    with told_clearly():
        if policy is not None:
            Policy.load(policy)
            out.print("The policy is usable.")
            return
        problems: list[str] = []
        try:
            Settings.load()
        except ConfigurationError as error:
            problems.extend(error.problems)
        try:
            Policy.load(policy_file())
        except ConfigurationError as error:
            problems.extend(error.problems)
        if problems:
            raise ConfigurationError(*problems)
    out.print("Settings and policy are usable.")
