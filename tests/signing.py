"""A person who does in a browser what a command tells them, over HTTP."""

from __future__ import annotations

import asyncio
import re

import httpx2

from secure_openai.testing.person import choose, named


class Person:
    """Follows the lines that a command writes, and signs in where one of them says so.

    Attributes:
        name: Who it is.
        said: Every line so far.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.said: list[str] = []

    def read(self, line: str) -> None:
        """Do what a line says."""
        self.said.append(line)
        found = re.search(r"http://\S+", line)
        if found and "enter the code" in line:
            code = re.search(r"code (\w{4}-\w{4})", line)
            assert code is not None
            asyncio.run(allow(found.group(), code.group(1), self.name))
        elif found:
            asyncio.run(visit(found.group(), self.name))


async def visit(address: str, name: str) -> None:
    """Choose a person where the command line sent the browser."""
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as http:
        page = await http.get(address)
        answer = await choose(http, page, name)
        assert "signed in" in answer.text


async def allow(address: str, code: str, name: str) -> None:
    """Allow a device."""
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as http:
        origin = address.split("/5ec0", maxsplit=1)[0]
        form = {"oid": named(name).oid, "user_code": code}
        wrong = await http.post(
            address, data=form | {"user_code": "XXXX"}, headers={"Origin": origin}
        )
        assert wrong.status_code == 400
        foreign = await http.post(address, data=form, headers={"Origin": "https://evil.example"})
        assert foreign.status_code == 400
        assert "Done" in (await http.post(address, data=form, headers={"Origin": origin})).text
