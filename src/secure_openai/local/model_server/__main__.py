"""The model as a process: `python -m secure_openai.local.model_server`.

Prints its progress as JSON lines: `{"phase": "joining", "done": 0.4}` …, then
`{"phase": "ready", "model": …}` just before it serves.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from secure_openai.errors import ConfigurationError, StartError
from secure_openai.local.model_server.app import model_app
from secure_openai.local.model_server.engine import Engine
from secure_openai.local.model_server.weights import NAME, bundled_model, own_model
from secure_openai.local.server import require_laptop, serve
from secure_openai.settings import model_key
from secure_openai.store.sqlite.database import private_folder

HOST = "127.0.0.1"


def say(phase: str, **facts: object) -> None:
    """Tell the parent how far it is."""
    print(json.dumps({"phase": phase, **facts}), flush=True)  # noqa: T201 - the parent reads it


def main() -> int:
    """Serve; return the exit code."""
    parser = argparse.ArgumentParser(prog="model_server", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--parent-pipe", type=int)
    options = parser.parse_args()
    try:
        require_laptop(HOST)
        key = model_key()
        if not key:
            raise StartError("SECURE_OPENAI_MODEL_KEY is missing: `secure-openai up` gives one.")
        private_folder(options.data)
        if options.model is None:
            path = bundled_model(options.data, lambda done: say("joining", done=round(done, 3)))
            name = NAME
        else:
            path = own_model(options.model)
            name = path.stem
        say("loading", model=name)
        engine = Engine(path, templated=options.model is not None)
    except ConfigurationError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a process's last word
        return 2
    say("ready", model=name)
    serve(
        model_app(engine, name, port=options.port, key=key),
        host=HOST,
        port=options.port,
        parent_pipe=options.parent_pipe,
    )
    engine.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
