"""The policy file's keys, from the classes that it is read into."""

from __future__ import annotations

from importlib.resources import files

from markdown import attributes, table

from secure_openai.policy.document import LIMIT_FIELDS, PRICES, RETENTION, ROLES, TABLES, Retention
from secure_openai.policy.prices import PriceRule, PriceRules
from secure_openai.types import Limits

HEAD = """# Policy

The policy file says who may ask which deployment, and how much of it. It is TOML; `secure-openai
check FILE` names every mistake with its line. A role that is not written may use nothing, and
every limit of a role is stated.

"""


def policy() -> str:
    """Return the page."""
    limits, kept = attributes(Limits), attributes(Retention)
    priced = {"currency": attributes(PriceRules)["currency"]} | {
        f"deployment.NAME.{name}": text for name, text in attributes(PriceRule).items()
    }
    shipped = (files("secure_openai.policy") / "default.toml").read_text("utf-8")
    return HEAD + "\n".join(
        (
            "## Tables\n",
            table(
                ("table", "says what may be used by"),
                (
                    (
                        f"`[{name}.{role}]`",
                        f"principals of kind `{kind}` with the role `{role}`",
                    )
                    for name, kind in TABLES.items()
                    for role in ROLES[kind]
                ),
            ),
            "\nIn each of them, `[….deployment.NAME]` replaces limits for one deployment, and "
            "`[….application.ID]` anything\nfor those who come by the client of that id. "
            "`[aliases]` gives deployments further names.\n",
            "## Keys of a role\n",
            table(
                ("key", "means"),
                (
                    ("`deployments`", 'Names, or `["*"]` for every deployment that is served.'),
                    *((f"`{key}`", limits[name]) for key, name in LIMIT_FIELDS.items()),
                    (
                        "`fields`",
                        "Optional: request fields that pass besides those of the allow-lists.",
                    ),
                ),
            ),
            f"\n## Keys of `[{RETENTION}]`\n",
            table(
                ("key", "means"),
                ((f"`{name}`", text.replace("`None`", "unset")) for name, text in kept.items()),
            ),
            f"\n## Keys of `[{PRICES}]`\n",
            table(
                ("key", "means"),
                ((f"`{name}`", text.replace("`None`", "unset")) for name, text in priced.items()),
            ),
            f"\n## The one that ships\n\n```toml\n{shipped.rstrip()}\n```\n",
        )
    )
