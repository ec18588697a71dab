"""The controls of the Microsoft cloud security benchmark, and what shows each."""

from __future__ import annotations

from estate import private
from markdown import table

from secure_openai.posture.proof import prove
from secure_openai.posture.report.controls import controls as answered

HEAD = """# Controls

Which statements of the proof answer which control of the Microsoft cloud security benchmark
(version 1), with the built-in policies of Azure and the checks of checkov that look at the same.
`secure-openai prove` judges them of *your* estate, and its report has this table with the
evidence; here it is the private environment's. What the application itself does, and the test that
shows it, is in [Threats](../threats.md).

"""


def controls() -> str:
    """Return the page."""
    proof = prove(private())
    rows = []
    for control in answered(proof.judged):
        for number, answer in enumerate(control.answers):
            statement = answer.judged.statement
            rows.append(
                (
                    f"**{control.id}** {control.title}".strip() if number == 0 else "",
                    f"`{statement.id}` {statement.title}",
                    answer.judged.verdict.value,
                    " ".join((*answer.policies, *answer.checks)),
                )
            )
    head = ("control", "statement", "private environment", "looked at also by")
    return HEAD + table(head, rows) + "\n"
