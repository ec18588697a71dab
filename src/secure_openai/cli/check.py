"""`secure-openai check`."""

from __future__ import annotations

from secure_openai.cli.console import out, told_clearly
from secure_openai.errors import ConfigurationError
from secure_openai.policy.decision import Policy
from secure_openai.settings import Settings


def check() -> None:
    """Check all settings of the environment and the policy file, and say every problem at once.

    [bold]Example[/bold]

      secure-openai check
    """
    problems: list[str] = []
    with told_clearly():
        policy = None
        try:
            policy = Settings.load().policy
        except ConfigurationError as error:
            problems.extend(error.problems)
        try:
            Policy.load(policy)
        except ConfigurationError as error:
            problems.extend(error.problems)
        if problems:
            raise ConfigurationError(*problems)
    out.print("Settings and policy are usable.")
