"""Languages are complete, and the right one is spoken."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from string import Formatter

import pytest
from jinja2 import Environment

from secure_openai.conversations.window import Window
from secure_openai.edge import assets, language, presentation
from secure_openai.edge.language import languages, preferred
from secure_openai.edge.presentation import THEMES
from secure_openai.errors import (
    ConfigurationError,
    GatewayError,
    Refused,
    SecureOpenAIError,
)
from secure_openai.model.content_filter import CATEGORIES, OTHER
from secure_openai.testing.person import sign_in
from secure_openai.types import Reason
from tests.edge.test_chat import ask, conversation
from tests.world import World, running_world

FILES = assets.FOLDER.parent
WRITTEN = re.compile(r'\b(?:t|language)\(\s*["\']([a-z0-9_.-]+)["\']\s*([~,)+])')


def used() -> set[str]:
    """Return every key that a template or a script names; `prefix.*` where a variable follows."""
    scripts = assets.FOLDER.glob("*.mjs")
    sources = [*(FILES / "templates").rglob("*.html"), *scripts, *FILES.rglob("*.py")]
    return {
        key + ("*" if after in "~+" else "")
        for path in sources
        for key, after in WRITTEN.findall(path.read_text("utf-8"))
    }


def test_every_language_says_everything() -> None:
    """All files have the same keys, with the same values in each text, and no empty text."""
    first, *others = languages().values()
    for other in others:
        assert set(first.texts) == set(other.texts), other.tag
        for key, text in other.texts.items():
            assert names(first.texts[key]) == names(text), key
            assert text.strip(), key


def names(text: str) -> set[str]:
    """Return the values that a text has places for."""
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_every_text_that_is_named_exists_and_no_other() -> None:
    """Templates and scripts name texts that there are; a text that nothing names is not kept."""
    keys = set(languages()["en"].texts)
    wanted = used()
    open_ended = tuple(key[:-1] for key in wanted if key.endswith("*"))
    for key in wanted:
        if not key.endswith("*"):
            assert key in keys
    # Problems, the server's sentences and the language's own name are named otherwise.
    kinds = ("problem.", "detail.", "language.", *open_ended)
    assert [key for key in keys if key not in wanted and not key.startswith(kinds)] == []


def test_scripts_name_what_they_say() -> None:
    """A key that is worked out in the call is not found, and not sent with the page."""
    for path in assets.FOLDER.glob("*.mjs"):
        calls = re.findall(r"(?<![\w.])(?:t|known)\((?!key\b)([^\"'])", path.read_text("utf-8"))

        assert calls == [], path.name


@pytest.mark.parametrize(
    ("header", "tag"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("fr, en;q=0.5, de;q=0.7", "de"),
        ("DE", "de"),
        ("de;q=0, en;q=0.1", "en"),
        ("xx, *", "en"),
        ("de;q=many", "en"),
        ("," * 100_000 + "de", "en"),
    ],
)
def test_the_browsers_language_is_spoken(header: str, tag: str) -> None:
    """By quality, a region by its language, English where nothing fits."""
    assert preferred(header) == tag


async def test_a_choice_holds_over_the_browsers(world: World) -> None:
    """A theme and a language that were chosen stand in the page itself, until the system's are."""
    async with world.client(**world.own) as http:
        chosen = await http.post(
            "/preferences",
            data={"theme": "dark", "language": "de", "return_to": "/signed-out"},
        )
        page = await http.get("/signed-out", headers={"Accept-Language": "en"})
        await http.post("/preferences", data={"theme": "system", "language": "system"})
        again = await http.get("/signed-out", headers={"Accept-Language": "en"})

    assert (chosen.status_code, chosen.headers["location"]) == (303, "/signed-out")
    assert all("HttpOnly" in cookie for cookie in chosen.headers.get_list("set-cookie"))
    assert '<html lang="de" dir="ltr" data-theme="dark">' in page.text
    assert "Sie sind abgemeldet" in page.text
    assert '<html lang="en" dir="ltr" data-theme="system">' in again.text


async def test_only_what_there_is_can_be_chosen(world: World) -> None:
    """An unknown theme or language is refused, and nobody is sent to another host."""
    async with world.client(**world.own) as http:
        for form in ({"theme": "pink"}, {"language": "xx"}, {"theme": ""}):
            refused = await http.post("/preferences", data=form)
            assert refused.status_code == 400, form
            assert "set-cookie" not in refused.headers
        elsewhere = await http.post(
            "/preferences", data={"theme": THEMES[1], "return_to": "//evil.example/"}
        )
        http.cookies.clear()
        wild = "secure_openai_theme=<script>; secure_openai_language=../en"
        page = await http.get("/signed-out", headers={"Cookie": wild})

    assert elsewhere.headers["location"] == "/"
    assert '<html lang="en" dir="ltr" data-theme="system">' in page.text


async def test_what_a_page_needs_is_ready_before_it_is_asked_for(
    tmp_path: Path, identity_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first page of a process waits for no template to be compiled and no file to be read."""
    monkeypatch.setattr(presentation, "_TEMPLATES", presentation.templates_in())

    def late(*_: object, **__: object) -> None:
        raise AssertionError("this should have been ready")

    async with running_world(tmp_path, identity_folder) as world, world.browser("Ada") as http:
        monkeypatch.setattr(Environment, "compile", late)
        with monkeypatch.context() as reading:
            reading.setattr(Path, "open", late)
            files = [await http.get(assets.address(name)) for name in ("style.css", "chat.mjs")]
        pages = [await http.get(path) for path in ("/", "/my-data", "/admin", "/nowhere")]

    assert [one.status_code for one in files] == [200, 200]
    assert [one.status_code for one in pages] == [200, 200, 200, 404]


async def test_a_page_is_painted_before_it_can_act(world: World) -> None:
    """Styles are asked for before the script, and nothing that it imports beside them."""
    async with world.browser("Uma") as http:
        text = (await http.get("/")).text

    styles = [match.start() for match in re.finditer('<link rel="stylesheet"', text)]
    scripts = re.findall(r'<script type="module"[^>]*>', text)
    assert len(styles) == 3
    assert max(styles) < min(text.index(one) for one in scripts)
    assert [found for one in scripts for found in re.findall('priority="(.*?)"', one)] == ["low"]
    assert "preload" not in text


async def test_files_are_kept_by_their_content(world: World) -> None:
    """Under the digest of what is here a file may be kept for good, under any other not at all."""
    async with world.client() as http:
        kept = await http.get(assets.address("style.css"))
        plain = await http.get("/static/style.css")
        old = await http.get("/static/0123456789ab/style.css")
        none = await http.get("/static/../pages.py")
        again = await http.get(
            "/static/style.css", headers={"If-None-Match": plain.headers["etag"]}
        )
        head = await http.head("/static/style.css")
        kinds = [
            (await http.get(f"/static/{name}")).headers["content-type"]
            for name in ("style.css", "chat.mjs", "icon.svg")
        ]
        wrong = await http.post("/static/style.css", headers=world.own)

    assert (again.status_code, again.content) == (304, b"")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(plain.content))
    assert [kind.partition(";")[0] for kind in kinds] == [
        "text/css",
        "text/javascript",
        "image/svg+xml",
    ]
    assert wrong.status_code == 405
    assert "immutable" in kept.headers["cache-control"]
    assert [one.headers["cache-control"] for one in (plain, old)] == ["no-cache", "no-cache"]
    assert kept.text == plain.text == old.text
    assert none.status_code == 404


def test_a_module_brings_its_neighbours_and_texts() -> None:
    """What a script imports is loaded at once, and what it says is in the page."""
    assert assets.modules("chat.mjs")[0] == "chat.mjs"
    assert {"text.mjs", "toasts.mjs"} <= set(assets.modules("chat.mjs"))
    texts = assets.named("chat.mjs", languages()["de"].texts)
    assert texts["common.close"] == "Schließen"
    assert "filter.hate" in texts
    assert "signed_out.title" not in texts


def kinds() -> set[str]:
    """Return every kind of problem that a page or a call of the chat can be answered."""
    found = {SecureOpenAIError.slug}
    left = SecureOpenAIError.__subclasses__()
    while left:
        one = left.pop()
        if one not in (ConfigurationError, GatewayError, Refused):
            found.add(one.slug)
            left.extend(one.__subclasses__())
    return found | {one.replace("_", "-") for one in Reason if one is not Reason.ADMITTED}


def sentences(path: Path) -> Iterator[str]:
    """Yield what a module says in whole sentences, each value in it as `{}`."""
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    described = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if id(node) in described:
            continue
        match node:
            case ast.JoinedStr(values=pieces):
                text = "".join(
                    str(piece.value) if isinstance(piece, ast.Constant) else "{}"
                    for piece in pieces
                )
            case ast.Constant(value=str(text)):
                pass
            case _:
                continue
        if re.match(r"[A-Z{].* .*[.?]$", text):
            yield re.sub(r"\{\w+\}", "{}", text)


SAY = (
    *("edge/desk/*.py", "edge/custody.py", "store/holds.py", "model/management/checks.py"),
    *("model/management/interface.py", "model/management/operations.py"),
    *("model/management/served.py", "model/management/resource_manager/*.py"),
    "store/continuation.py",
)
"""What says why something that a person asks of the desk is not done."""


def test_what_the_desk_says_went_wrong_is_said_in_every_language() -> None:
    """Every sentence has its like in the language files, and no file keeps one that is not said."""
    ours = FILES.parent
    said = {text for pattern in SAY for path in ours.glob(pattern) for text in sentences(path)}
    kept = {
        key: re.sub(r"\{\w+\}", "{}", text)
        for key, text in languages()["en"].texts.items()
        if key.startswith("detail.") and text.endswith((".", "?")) and not text.startswith(" ")
    }

    assert sorted(said - set(kept.values())) == []
    assert sorted(set(kept.values()) - said) == []


@pytest.mark.parametrize(
    ("said", "german"),
    [
        ("There is no such hold.", "Eine solche Aufbewahrungspflicht gibt es nicht."),
        (
            "gpt-4o 1 is not sold as Global here: write one of Standard, Data.",
            "gpt-4o 1 gibt es hier nicht als Global: Schreiben Sie eines von Standard, Data.",
        ),
        (
            "Azure has retired gpt-4 0613 on 2025-06-06: deploy gpt-4o instead.",
            "Azure hat gpt-4 0613 am 2025-06-06 eingestellt: Richten Sie stattdessen gpt-4o ein.",
        ),
        (
            "There is no account main in Azure.",
            "Das gibt es nicht: Konto main in Azure.",
        ),
        (
            "This region does not offer the model gpt-x. See what it offers with "
            "secure-openai models list.",
            "Diese Region bietet das Modell gpt-x nicht an. Was sie anbietet, sagt "
            "secure-openai models list.",
        ),
        ("Something that nobody foresaw.", ""),
        (f"There is no {'x' * 1_000}.", ""),
        ("", ""),
    ],
)
def test_a_sentence_of_the_servers_is_known_again(said: str, german: str) -> None:
    """With its values, and what stands in them; what is unknown is no sentence."""
    assert languages()["de"].of_detail(said) == german
    assert languages()["en"].of_detail(said) == said


def test_a_sentence_is_known_again_in_one_pass() -> None:
    """However often somebody wrote a sentence's words into a value: going back takes a minute."""
    value = "x" + " has " * 47 + " of " * 58 + " left of " * 25 + ", and " * 39
    asked = f"Confirm the deletion with the deployment's name, {value}."
    program = (
        "import sys\n"
        "from secure_openai.edge.language import languages\n"
        "sys.stdout.write(languages()['de'].of_detail(sys.argv[1]))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program, asked],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    confirm = languages()["de"].texts["detail.confirm_by_name"]
    assert answer.stdout == confirm.format(name=value)


async def test_the_desk_says_what_is_wrong_in_the_readers_language(world: World) -> None:
    """What to write instead, on a page that is German throughout."""
    async with world.browser("Ada") as http:
        headers = {"Accept": "text/html", "Accept-Language": "de"}
        several = await http.get("/admin/usage?days=9999", headers=headers)
        nobody = await http.post(
            "/admin/custody/hold",
            data={"principal": "No Such One", "reference": "x"},
            headers=headers,
        )

    assert "Schreiben Sie days als Zahl von 1 bis 92, today oder yesterday." in several.text
    assert "Niemand, der hier war, heißt so: Schreiben Sie" in nobody.text
    assert [one.status_code for one in (several, nobody)] == [400, 400]
    assert '<a href="/admin" class="button">Zurück zur Verwaltung</a>' in several.text
    assert 'lang="en"' not in several.text.replace('value="en" lang="en"', "")


def test_every_problem_has_a_text() -> None:
    """In every language whatever can go wrong is said, and nothing else is kept to be said."""
    for one in languages().values():
        said = {key[8:] for key in one.texts if key.startswith("problem.")}

        assert said == kinds(), one.tag


def test_every_rule_of_the_filter_has_a_text() -> None:
    """Whatever the content filter found is named in every language, and nothing else is."""
    for one in languages().values():
        said = {key[7:] for key in one.texts if key.startswith("filter.")}

        assert said == {*CATEGORIES, OTHER}, one.tag


def test_what_was_left_out_is_known_by_its_number() -> None:
    """In other languages the page says how many messages the server's sentence names."""
    turns = (assets.FOLDER / "turns.mjs").read_text("utf-8")
    (pattern,) = re.findall(r"note\.match\(/(\S+ earlier message)/\)", turns)
    for count in (1, 12):
        found = re.search(pattern, Window([], count).note or "")

        assert found is not None
        assert found[1] == str(count)


MARK = "\u00ab"
DATA = re.compile(
    r"Uma( User)?|English|Deutsch|Third|scripted.*|Ctrl|Shift|Enter|Esc|Alt|[A-Z]{1,2}|talk|hello|"
    r"You said: hello|[0-9a-f-]{32,36}|admin@contoso\.example"
)
"""What stands on pages beside texts: names, keys, what was said, ids."""


class Read(HTMLParser):
    """Gathers what a page says to who reads or hears it."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self._silent = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep what is said beside the text."""
        self._silent = tag in {"script", "style"}
        names = {"aria-label", "title", "placeholder", "alt", "data-suggests"}
        self.said += [value for name, value in attrs if name in names and value]

    def handle_endtag(self, tag: str) -> None:
        """Hear again."""
        self._silent = False

    def handle_data(self, data: str) -> None:
        """Keep a text."""
        if not self._silent and re.search(r"[^\W\d_]", data):
            self.said.append(data.strip())


@pytest.fixture
def third(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A third language: one more file, in which every text is marked."""
    folder = tmp_path / "edge"
    shutil.copytree(FILES / "languages", folder / "languages")
    texts = {key: f"{MARK}{text}\u00bb" for key, text in languages()["en"].texts.items()}
    texts |= {"language.name": "Third", "language.direction": "rtl"}
    (folder / "languages" / "xx.json").write_text(json.dumps(texts), "utf-8")
    monkeypatch.setattr(language, "files", lambda _: folder)
    languages.cache_clear()
    yield
    languages.cache_clear()


@pytest.mark.usefixtures("third")
async def test_a_third_language_is_a_file(tmp_path: Path, identity_folder: Path) -> None:
    """It is offered and spoken on every page, in its own direction; nothing else is."""
    headers = {"Accept": "text/html", "Accept-Language": "xx"}
    async with running_world(tmp_path, identity_folder) as world, world.browser("Uma") as http:
        talk = await conversation(http)
        await ask(http, talk, "hello")
        await http.post("/my-data/export")
        addresses = ("/", f"/conversations/{talk}", "/my-data", "/signed-out", "/conversations/x")
        shown = {path: await http.get(path, headers=headers) for path in addresses}
        async with world.client(**world.own) as nobody:
            await sign_in(nobody, world.url, "Nora")
            shown["no role"] = await nobody.get("/", headers=headers)

    for path, page in shown.items():
        reader = Read()
        reader.feed(page.text)

        assert '<html lang="xx" dir="rtl"' in page.text, path
        assert "Third" in reader.said
        assert [one for one in reader.said if MARK not in one and not DATA.fullmatch(one)] == [], (
            path
        )
