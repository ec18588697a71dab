"""`secure-openai plans`: what was approved is what is applied."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Final, TypeVar

import typer

from secure_openai.cli.azure import resource_manager
from secure_openai.cli.console import NEGATIVE, err, told_clearly
from secure_openai.delivery import plans
from secure_openai.delivery.azure.rest import Rest

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True, help="Apply what was approved.")

_SHOWN: Final = 20

PlanArgument = Annotated[Path, typer.Argument(help="What terraform show -json PLAN wrote.")]
ContainerOption = Annotated[
    str, typer.Option("--container", help="Address of the container in bootstrap's output plans.")
]


@app.command()
def keep(plan: PlanArgument, container: ContainerOption) -> None:
    """Keep a plan, and print its digest.

    [bold]Example[/bold]

      secure-openai plans keep plan.json --container https://stchatstate1a2b3.blob.core.windows.net/plans
    """
    with told_clearly():
        typer.echo(_asked(lambda rest: plans.keep(plan, plans.container_url(container), rest)))


@app.command()
def compare(
    plan: PlanArgument,
    container: ContainerOption,
    approved: Annotated[str, typer.Option(help="The digest of the plan that was approved.")],
) -> None:
    """Compare a plan with the one that was approved; values are not shown.

    Ends with 0 where both do the same, with 1 where they do not, with 2 if it cannot be told.

    [bold]Example[/bold]

      secure-openai plans compare plan.json --approved DIGEST --container https://stchatstate1a2b3.blob.core.windows.net/plans
    """
    with told_clearly():
        fresh = plans.read_plan(plan)
        kept = _asked(lambda rest: plans.fetch(approved, plans.container_url(container), rest))
        found = plans.differing(kept, fresh)
    for address in found[:_SHOWN]:
        err.print(f"[red]✗[/red] {address} is not as it was approved", soft_wrap=True)
    if found:
        err.print(f"{len(found)} differ: plan again, and have that approved.")
        raise typer.Exit(NEGATIVE)
    typer.echo("The plan does what was approved.")


def _asked(work: Callable[[Rest], Awaitable[T]]) -> T:
    async def run() -> T:
        async with resource_manager() as rest:
            return await work(rest)

    return asyncio.run(run())
