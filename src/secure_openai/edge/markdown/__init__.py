"""Markdown from a model, as HTML that can neither run, load, nor pass for ours."""

from secure_openai.edge.markdown.growing import Growing, Growth
from secure_openai.edge.markdown.rendering import LARGEST_CHARACTERS, Rendering, rendered

__all__ = ["LARGEST_CHARACTERS", "Growing", "Growth", "Rendering", "rendered"]
