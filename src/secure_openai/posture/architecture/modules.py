"""A README for each Terraform module, generated from its own files.

    python -m secure_openai.posture.architecture.modules

run in the repository writes them; a test holds the committed ones to what this generates. The
files are read as `terraform fmt` leaves them, which the checks insist on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

_BLOCK = re.compile(r'^(variable|output) "(\w+)" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)
_DESCRIPTION = re.compile(r'^  description = "(.*)"$', re.MULTILINE)
_DEFAULT = re.compile(r"^  default +=", re.MULTILINE)
_RESOURCE = re.compile(r'^resource "(\w+)" "\w+"', re.MULTILINE)


def folders(infra: Path) -> list[Path]:
    """Return the modules that have a README: each of `modules/`, and `bootstrap`."""
    modules = sorted(one for one in (infra / "modules").iterdir() if one.is_dir())
    return [*modules, infra / "bootstrap"]


def readme(folder: Path) -> str:
    """Return a module's README."""
    texts = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.tf"))}
    everything = "\n".join(texts.values())
    return "\n".join(
        [
            f"# {folder.name}",
            "",
            _purpose(texts),
            "",
            "Generated: `python -m secure_openai.posture.architecture.modules`.",
            "",
            *_example(folder),
            "## Variables",
            "",
            "| name | | |",
            "|---|---|---|",
            *_rows("variable", everything),
            "",
            "## Outputs",
            "",
            "| name | |",
            "|---|---|",
            *_rows("output", everything),
            "",
            "## Resources",
            "",
            ", ".join(f"`{kind}`" for kind in sorted(set(_RESOURCE.findall(everything))))
            or "None.",
            "",
        ]
    )


def _purpose(texts: dict[str, str]) -> str:
    first = texts["terraform.tf"]
    if not first.startswith("# "):
        first = texts["main.tf"]
    lines = []
    for line in first.splitlines():
        if not line.startswith("# "):
            break
        lines.append(line.removeprefix("# "))
    return " ".join(lines)


def _example(folder: Path) -> Iterator[str]:
    path = folder / "example" / "main.tf"
    if not path.exists():
        yield "[`example.tfvars`](example.tfvars) fills its variables in; the tests apply it."
        yield ""
        return
    text = path.read_text(encoding="utf-8")
    yield "## Example"
    yield ""
    yield "The end of [`example/main.tf`](example/main.tf), which the tests apply:"
    yield ""
    yield "```hcl"
    yield text[text.index("\nmodule ") + 1 :].rstrip()
    yield "```"
    yield ""


def _rows(kind: str, text: str) -> Iterator[str]:
    for found, name, body in sorted(_BLOCK.findall(text)):
        if found != kind:
            continue
        description = _DESCRIPTION.search(body)
        said = (description.group(1) if description else "").replace("|", "\\|")
        if kind == "output":
            yield f"| `{name}` | {said} |"
        else:
            needed = "" if _DEFAULT.search(body) else "required"
            yield f"| `{name}` | {said} | {needed} |"


def write(root: Path) -> None:
    """Write every README below the repository's root."""
    for folder in folders(root / "infra"):
        (folder / "README.md").write_text(readme(folder), encoding="utf-8")


if __name__ == "__main__":
    write(Path.cwd())
