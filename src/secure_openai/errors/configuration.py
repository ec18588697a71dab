"""What keeps a process from starting."""

from __future__ import annotations

from secure_openai.errors.tree import SecureOpenAIError


class ConfigurationError(SecureOpenAIError):
    """The process cannot start as it is configured.

    Attributes:
        problems: Every problem found, each one sentence that says what to write instead.
    """

    slug = "configuration"
    title = "The configuration is not usable"

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class SettingsError(ConfigurationError):
    """A setting is missing, contradictory or out of range."""


class PolicyError(ConfigurationError):
    """The policy file is not usable; each problem begins with its line number."""


class AppearanceError(ConfigurationError):
    """The appearance file is not usable; each problem begins with its line number."""


class StartError(ConfigurationError):
    """Something that the process needs from the machine is not there."""


class DeliveryError(ConfigurationError):
    """Something cannot be packaged, copied from a template, or deployed."""


class ProofError(ConfigurationError):
    """What was given to prove cannot be read as an estate."""


class AssumptionError(ProofError):
    """A file of assumptions or of accepted findings is not usable."""
