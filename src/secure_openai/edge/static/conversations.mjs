// The conversations at the side: grouped by when, searched, renamed in place, pinned, deleted with undo.
import { call, path, Problem, read, wordsOf } from "./calls.mjs";
import { language, t } from "./text.mjs";
import { toast } from "./toasts.mjs";

const list = document.querySelector("#conversations");
const found = document.querySelector("#found");
const none = document.querySelector("#none");
const menu = document.querySelector("#conversation-menu");
const chat = document.querySelector("#chat");
const title = document.querySelector("#title");
const field = document.querySelector("#search");
const UNDO_SECONDS = 15;
const FOUND_AT_ONCE = 50;
// Between two keys of one who types; whoever waits longer waits for what is found.
const PAUSE_MS = 100;
let chosen = null;

export const current = () => chat.dataset.conversation;

function item(conversation) {
  const row = document.querySelector("#conversation-template").content.firstElementChild.cloneNode(true);
  const link = row.querySelector("a");
  link.href = `/conversations/${encodeURIComponent(conversation.id)}`;
  if (conversation.id === current()) link.setAttribute("aria-current", "page");
  if (conversation.excerpt) {
    row.querySelector(".excerpt").textContent = conversation.excerpt;
    row.querySelector(".excerpt").hidden = false;
  }
  know(row, conversation);
  return row;
}

function know(row, { id, title: name, etag, updated, pinned }) {
  row.dataset.id = id;
  row.dataset.etag = etag;
  if (updated) row.dataset.updated = updated;
  if (pinned !== undefined) row.dataset.pinned = String(pinned);
  row.querySelector(".name").textContent = name;
  row.querySelector(".button").setAttribute("aria-label", t("conversations.actions_of", { title: name }));
}

function rowOf(id) {
  return list.querySelector(`li[data-id="${CSS.escape(id)}"]`);
}

// A conversation that began, was titled or was used: first among those that are not pinned.
export function keep(conversation) {
  const row = rowOf(conversation.id);
  const known = row ?? item(conversation);
  if (row) know(row, conversation);
  if (conversation.id === current()) {
    chat.dataset.etag = conversation.etag;
    title.textContent = conversation.title;
    document.title = conversation.title;
    document.querySelector("#conversation-actions").hidden = false;
    for (const link of list.querySelectorAll("[aria-current]")) link.removeAttribute("aria-current");
    known.querySelector("a").setAttribute("aria-current", "page");
  }
  if (!row) list.prepend(known);
  group();
}

const rows = () => [...list.querySelectorAll("li[data-id]")];
const DAY = 86_400_000;
const month = new Intl.DateTimeFormat(language, { month: "long", year: "numeric" });

function label(row, midnight) {
  if (row.dataset.pinned === "true") return t("when.pinned");
  const then = Date.parse(row.dataset.updated);
  if (then >= midnight) return t("when.today");
  if (then >= midnight - DAY) return t("when.yesterday");
  if (then >= midnight - 7 * DAY) return t("when.week");
  if (then >= midnight - 30 * DAY) return t("when.month");
  return month.format(then);
}

function heading(words) {
  const item = document.createElement("li");
  item.className = "when";
  item.textContent = words;
  return item;
}

// Only what stands elsewhere is moved: what is moved is laid out again, and there may be very many.
function group() {
  const midnight = new Date().setHours(0, 0, 0, 0);
  const headings = new Map([...list.querySelectorAll(".when")].map((item) => [item.textContent, item]));
  const known = rows().map((row) => [row.dataset.pinned === "true", row.dataset.updated, row]);
  known.sort(([first, a], [second, b]) => second - first || (b > a) - (b < a));
  let said = null;
  let next = list.firstElementChild;
  const place = (item) => {
    if (item === next) next = item.nextElementSibling;
    else list.insertBefore(item, next);
  };
  for (const [, , row] of known) {
    const when = label(row, midnight);
    if (when !== said) place(headings.get(when) ?? heading(when));
    said = when;
    place(row);
  }
  while (next) {
    const last = next;
    next = last.nextElementSibling;
    last.remove();
  }
}

// Older ones come as one scrolls to them.
let loading = false;
async function older() {
  if (loading || !(list.hidden ? rest : list.dataset.continuation)) return;
  loading = true;
  try {
    if (list.hidden) return await look(rest);
    const query = new URLSearchParams({ limit: 50, continuation: list.dataset.continuation });
    const page = await read(`/api/conversations?${query}`);
    list.dataset.continuation = page.continuation ?? "";
    for (const one of page.items) if (!rowOf(one.id)) list.append(item(one));
    group();
    watch();
  } catch (error) {
    toast(wordsOf(error), { action: t("chat.retry"), act: older });
  } finally {
    loading = false;
  }
}
const sentinel = document.querySelector("#older");
const scrolled = sentinel.parentElement;
const options = { root: scrolled, rootMargin: "0px 0px 600px" };
const observer = new IntersectionObserver((seen) => seen.at(-1).isIntersecting && older(), options);

// An observer speaks only of what changes: rows that came may leave the end in sight, where it was.
function watch() {
  observer.unobserve(sentinel);
  observer.observe(sentinel);
}
watch();

let asked = 0;
let waiting = null;
// Where the search goes on, once one scrolls to the end of what was found.
let rest = null;
field.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(search, PAUSE_MS);
});
field.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !field.value) return;
  event.stopPropagation();
  field.value = "";
  search();
});

async function search() {
  const words = field.value.trim();
  const mine = (asked += 1);
  list.hidden = Boolean(words);
  found.hidden = !words;
  none.hidden = true;
  rest = null;
  scrolled.scrollTop = 0;
  if (words) await look({ words, mine });
}

// One call looks through so much and may find little of what there is, or nothing yet: it goes on.
async function look({ words, mine, continuation = null }) {
  let more = continuation;
  let fresh = 0;
  rest = null;
  try {
    do {
      const query = { limit: FOUND_AT_ONCE, search: words, ...(more ? { continuation: more } : {}) };
      const page = await read(`/api/conversations?${new URLSearchParams(query)}`);
      if (mine !== asked) return;
      if (!continuation && !fresh) found.replaceChildren();
      found.append(...page.items.map(item));
      fresh += page.items.length;
      more = page.continuation;
      none.hidden = Boolean(found.children.length);
      none.textContent = more ? t("conversations.searching") : t("conversations.none_found", { words });
    } while (more && fresh < FOUND_AT_ONCE);
    if (!more) return;
    rest = { words, mine, continuation: more };
    watch();
  } catch (error) {
    if (mine !== asked) return;
    none.textContent = wordsOf(error);
    none.hidden = false;
  }
}

// What the menu does, to the conversation beside whose button it was opened, or to the one on the page.
menu.addEventListener("beforetoggle", (event) => {
  if (event.newState !== "open") return;
  const button = event.source ?? document.activeElement;
  const row = button?.closest("li[data-id]");
  chosen = row ?? rowOf(current()) ?? item({ id: current(), title: title.textContent, etag: chat.dataset.etag });
  const { id, pinned } = chosen.dataset;
  menu.querySelector("[data-do=pin] span").textContent = pinned === "true" ? t("conversations.unpin") : t("conversations.pin");
  const leaf = id === current() ? shownLast() : null;
  for (const format of ["markdown", "json"]) {
    const query = new URLSearchParams({ format, ...(leaf ? { leaf } : {}) });
    menu.querySelector(`[data-do=${format}]`).href = `${path("conversations", id, "export")}?${query}`;
  }
});

// The end of the branch that is shown: what is read is what is taken along.
function shownLast() {
  const last = document.querySelector("#messages > li:last-child");
  return last?.dataset.message && last.dataset.status !== "sending" ? JSON.parse(last.dataset.message).id : null;
}

menu.addEventListener("click", (event) => {
  const what = event.target.closest("[data-do]")?.dataset.do;
  const act = { rename, pin, delete: remove }[what];
  if (act) act(chosen).catch((error) => toast(wordsOf(error)));
});

// If it changed meanwhile (its title came, another window), the change is made to what it has become.
async function change(row, json) {
  const address = path("conversations", row.dataset.id);
  const patch = (etag) => read(address, { method: "PATCH", json, etag });
  let changed;
  try {
    changed = await patch(row.dataset.etag);
  } catch (error) {
    if (!(error instanceof Problem) || error.status !== 412) throw error;
    changed = await patch((await read(address)).etag);
  }
  know(row, changed);
  keep(changed);
}

function pin(row) {
  return change(row, { pinned: row.dataset.pinned !== "true" });
}

async function rename(row) {
  const place = row.isConnected ? row.querySelector("a") : title;
  const name = row.querySelector(".name").textContent;
  const input = document.createElement("input");
  input.className = "input rename";
  input.value = name;
  input.maxLength = 200;
  input.setAttribute("aria-label", t("conversations.title"));
  place.hidden = true;
  place.after(input);
  input.focus();
  input.select();
  const kept = await new Promise((resolve) => {
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") resolve(true);
      if (event.key === "Escape") resolve(false);
      event.stopPropagation();
    });
    input.addEventListener("blur", () => resolve(true), { once: true });
  });
  const words = input.value.trim();
  input.remove();
  place.hidden = false;
  place.focus?.();
  if (kept && words && words !== name) await change(row, { title: words });
}

async function remove(row) {
  const { id } = row.dataset;
  const address = path("conversations", id);
  try {
    await call(address, { method: "DELETE", etag: row.dataset.etag });
  } catch (error) {
    if (!(error instanceof Problem) || error.status !== 412) throw error;
    await call(address, { method: "DELETE", etag: (await read(address)).etag });
  }
  rowOf(id)?.remove();
  group();
  if (id === current()) location.assign(`/?deleted=${encodeURIComponent(id)}`);
  else offerBack(id);
}

function offerBack(id) {
  toast(t("conversations.deleted"), {
    action: t("conversations.undo"),
    seconds: UNDO_SECONDS,
    act: async () => {
      try {
        keep(await read(path("conversations", id, "restore"), { method: "POST" }));
      } catch (error) {
        toast(wordsOf(error));
      }
    },
  });
}

const address = new URL(location.href);
const deleted = address.searchParams.get("deleted");
if (deleted) {
  address.searchParams.delete("deleted");
  history.replaceState(null, "", address);
  offerBack(deleted);
}
group();
// Whoever was quicker than this script has written what to look for.
if (field.value.trim()) search();
