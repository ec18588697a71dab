"""A Function App's worker as a process: `python -m tests.functions.host JOB …`."""

from __future__ import annotations

import asyncio
import logging
import sys

import azure.functions as func
from azure.functions.timer import TimerRequestConverter

from tests.functions.test_function_app import TICK, functions_of, loaded

logger = logging.getLogger(__name__)


async def run(names: list[str]) -> None:
    """Call functions as the host does; one that fails is the host's to report."""
    module = loaded()
    timer = TimerRequestConverter.decode(func.meta.Datum(TICK, "json"), trigger_metadata={})
    functions = {one.get_function_name(): one for one in functions_of(module)}
    try:
        for name in names:
            try:
                await functions[name].get_user_function()(timer=timer)
            except Exception:
                logger.exception("the function %s failed", name)
    finally:
        await module.resident.aclose()


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1:]))
