"""A page of the book of quota: what one group changes in it, inside one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from secure_openai.store.quota import refusal_of, standing_of, with_request
from secure_openai.store.sqlite.book import Account, Book, counted_in
from secure_openai.store.sqlite.changes import Change, Giving, Outcome, Renewing, Taking
from secure_openai.store.sqlite.journal import Entry, Held, Key, append
from secure_openai.store.usage import UsageTotals
from secure_openai.types import Decision, Standing


class Page:
    """What one group changes in a book.

    Args:
        connection: In a transaction that writes.
        book: The book, which is of this connection's journal; another one is begun if `None`.
    """

    def __init__(self, connection: sqlite3.Connection, book: Book | None) -> None:
        if book is None:
            book = Book.begun(connection)
        book.open = True
        if book.full:
            book.fold(connection)
        self._connection = connection
        self._book = book
        self._entry = Entry()
        self._accounts: dict[Key, Account] = {}
        self._known: dict[Key, tuple[str, UsageTotals]] = {}

    def carry_out(self, changes: Sequence[Change]) -> list[Outcome]:
        """Carry changes out, those that take last; return what became of each."""
        self._look_up(changes)
        for one in changes:
            if isinstance(one, Giving):
                self._end(one)
            elif isinstance(one, Renewing):
                self._renew(one)
        return [self._take(one) if isinstance(one, Taking) else None for one in changes]

    def _look_up(self, changes: Sequence[Change]) -> None:
        """Find whom the group is about in the book, and in the tables what does not stand there."""
        missing: list[tuple[str, str, str]] = []
        for one in changes:
            key = one.key
            account = self._accounts.get(key)
            if account is None:
                account = self._accounts[key] = self._book.account(key)
            if isinstance(one, Taking):
                minute, day = one.windows
            elif (held := account.held.get(one.id)) is not None:
                minute, day = held.minute, held.day
            else:
                continue
            if day not in account.windows:
                account.windows[day] = (0, 0)
                missing.append((*key, day))
            if minute not in account.windows:
                self._book.minutes.add(minute)
                account.windows[minute] = (0, 0)
        if missing:
            for key, counted in counted_in(self._connection, missing):
                self._accounts[key].windows |= counted

    def _end(self, one: Giving) -> None:
        """Charge what was used, or nothing; a reservation that has ended ends no more."""
        account = self._accounts[one.key]
        held = account.held.pop(one.id, None)
        if held is None:
            return
        usage = one.usage
        if usage is None:
            self._entry.ended[one.id] = None
            return
        self._entry.ended[one.id] = used = (usage.prompt_tokens, usage.completion_tokens)
        windows, total = account.windows, sum(used)
        for starts in (held.minute, held.day):
            requests, tokens = windows[starts]
            windows[starts] = (requests, tokens + total)

    def _renew(self, one: Renewing) -> None:
        """Let a reservation that has not ended count for longer."""
        account = self._accounts[one.key]
        held = account.held.get(one.id)
        if held is not None:
            account.held[one.id] = held._replace(expires=one.expires)
            self._entry.renewed[one.id] = one.expires

    def _take(self, one: Taking) -> Standing | Decision:
        """Take a reservation into the book, and return how its principal stands; or refuse it.

        Everything else that the group changes comes before.
        """
        key, identifier, tokens, limits, windows, now, expires = one
        minute, day = windows
        account = self._accounts[key]
        known, totals = self._known.get(key, ("", None))
        if totals is None or known != minute:
            totals = account.totals(windows, now)
        refusal = refusal_of(totals, tokens, limits, now)
        if refusal is not None:
            self._known[key] = (minute, totals)
            return refusal
        totals = with_request(totals, tokens)
        self._known[key] = (minute, totals)
        held = Held(key[0], key[1], minute, day, tokens, expires)
        account.held[identifier] = self._entry.taken[identifier] = held
        for starts in windows:
            requests, used = account.windows[starts]
            account.windows[starts] = (requests + 1, used)
        return standing_of(totals, limits, now)

    def write(self) -> None:
        """Write into the journal what was changed."""
        lines = list(self._entry.lines())
        rows = zip(append(self._connection, lines), lines, strict=True)
        self._book.journal(rows, tuple(self._accounts))

    def turned(self) -> Book:
        """Return the book with what was changed in it, once that is committed."""
        self._book.close()
        return self._book
