// A talk: what is asked and answered, asked again, edited, continued, stopped.
import "./shell.mjs";
import "./library.mjs";
import "./links.mjs";
import { Answering } from "./answering.mjs";
import * as attachments from "./attachments.mjs";
import { call, explain, path, Problem, read } from "./calls.mjs";
import { chosenDeployment, chosenInstruction, loadQuota } from "./choices.mjs";
import { copy } from "./copying.mjs";
import { keep } from "./conversations.mjs";
import { editing } from "./editing.mjs";
import { rate } from "./feedback.mjs";
import { Growing } from "./growing.mjs";
import { keys } from "./keys.mjs";
import { following, toEnd, toTop } from "./scrolling.mjs";
import { t } from "./text.mjs";
import { toast } from "./toasts.mjs";
import { complete, fill, fold, last, list, messageOf, prepend, show, turn } from "./turns.mjs";

const chat = document.querySelector("#chat");
const form = document.querySelector("#ask");
const field = document.querySelector("#text");
const send = document.querySelector("#send");
const stop = document.querySelector("#stop");
const announcer = document.querySelector("#announcer");
const SPOKEN = 1_200;
let answering = null;
let again = null;
let sending = null;

// What went wrong, and what can be done about it.
const problem = document.querySelector("#problem");
const retry = document.querySelector("#retry");
function say(text, act = null) {
  problem.hidden = !text;
  problem.querySelector(".words").textContent = text;
  retry.hidden = !act;
  again = act;
}
retry.addEventListener("click", () => {
  const act = again;
  say("");
  act?.();
});
document.querySelector("#dismiss").addEventListener("click", () => {
  say("");
  field.focus();
});
const wordsOf = (error) => (error instanceof Problem ? error.message : t("chat.offline"));

const messages = (...more) => path("conversations", chat.dataset.conversation, "messages", ...more);

async function begin(text) {
  if (chat.dataset.conversation) return;
  // As the server will: without what turns or hides words.
  const title = text.replace(/[\p{Cc}\p{Cf}]+/gu, " ").trim().slice(0, 60);
  const created = await read("/api/conversations", { method: "POST", json: {} });
  chat.dataset.conversation = created.id;
  chat.dataset.empty = "false";
  document.querySelector("#welcome")?.remove();
  history.replaceState(null, "", `/conversations/${encodeURIComponent(created.id)}`);
  // Until it has titled itself, it is called by the first words.
  keep({ ...created, title });
}

function busy(yes) {
  stop.hidden = !yes;
  send.hidden = yes;
  chat.setAttribute("aria-busy", String(yes));
}

// Shows one answer as it comes. `start` asks for it; `place` puts its item where it belongs.
async function answer(start, place, appendTo = null) {
  let item = appendTo;
  let growing = null;
  say("");
  busy(true);
  const told = (name, data) => {
    if (name === "begin" && data.answer) {
      item = place(data) ?? item;
      item.dataset.status = "streaming";
      growing = new Growing(item.querySelector(".text"));
      growing.show({ ...data, text: data.answer.text });
      announcer.textContent = t("chat.answering");
    } else if (name === "delta") {
      growing.show(data);
    } else if (name === "lost" || name === "found") {
      say(name === "lost" ? t("chat.lost", { seconds: chat.dataset.grace }) : "");
    } else if (name === "end") {
      const siblings = data.answer.siblings?.length > 1 ? data.answer.siblings : messageOf(item).siblings;
      fill(item, { ...data.answer, siblings }, growing);
      spoken(item, data);
      // Its title may yet come; nobody waits for that.
      free();
    } else if (name === "title") {
      keep({ id: chat.dataset.conversation, updated: new Date().toISOString(), ...data });
    }
    following();
  };
  const mine = new Answering(chat.dataset.conversation, start, told);
  const free = () => {
    if (answering !== mine) return;
    answering = null;
    busy(false);
  };
  answering = mine;
  try {
    await mine.run();
  } finally {
    if (item && item.dataset.status === "streaming") {
      complete(item, { ...messageOf(item), text: growing?.text ?? "", status: "interrupted" });
    }
    free();
    loadQuota();
  }
  return item;
}

// A screen reader hears an answer once it is whole, and not word by word.
function spoken(item, { answer: kept, problem: cut }) {
  const text = item.querySelector(".text").textContent.trim();
  // What the filter refused is refused again: it is for the person to put it another way.
  const refused = cut?.type?.endsWith(":content-filtered");
  if (cut) say(explain(cut), refused ? null : () => (text ? goOn(item) : regenerate(item)));
  announcer.textContent = kept.status === "interrupted" ? t("chat.interrupted") : text.length <= SPOKEN ? text : t("chat.answered");
}

function siblingsWith(known, id) {
  return [...new Set([...(known ?? []), id])];
}

async function ask(text, { parent, files = attachments.files() } = {}) {
  const mine = turn({ id: "sending", author: "user", text, status: "sending", attachments: files, siblings: ["sending"] });
  const shown = list.contains(last("user")) || !document.querySelector("#welcome");
  if (parent === undefined) list.append(mine);
  // What is written meanwhile, or was when something else is tried again, is not ours to take.
  if (field.value === text) field.value = "";
  sending = mine;
  grow();
  toEnd();
  let stored = false;
  try {
    await begin(text);
    const json = { text, deployment: chosenDeployment() };
    if (parent !== undefined) json.parent = parent;
    if (files.length) json.attachments = files.map(({ id }) => id);
    if (chosenInstruction()) json.instruction = chosenInstruction();
    await answer(
      (signal) => call(messages(), { method: "POST", json, signal }),
      ({ question, answer: reply }) => {
        stored = true;
        sending = null;
        attachments.clear();
        if (parent !== undefined) list.append(mine);
        fill(mine, { attachments: files, ...question });
        const item = turn(reply);
        list.append(item);
        return item;
      },
    );
    if (parent !== undefined) await refresh(messageOf(last("assistant")).id);
  } catch (error) {
    if (!stored) {
      mine.remove();
      // What was typed stays where it was typed.
      if (parent === undefined && !field.value) field.value = text;
      grow();
    }
    if (error.name !== "AbortError") say(wordsOf(error), stored ? null : () => ask(text, { parent, files }));
    if (!stored && parent !== undefined) throw error;
  } finally {
    if (sending === mine) sending = null;
    if ((shown || stored) && unfocused()) field.focus({ preventScroll: true });
  }
}

// Whoever has gone on to something else is not called back.
function unfocused() {
  const at = document.activeElement;
  return !at || at === document.body || !at.checkVisibility();
}

function run(act) {
  act.catch((error) => error.name !== "AbortError" && say(wordsOf(error)));
}

function regenerate(item) {
  if (answering || !item) return;
  const before = messageOf(item);
  const place = ({ answer: reply }) => {
    const next = turn({ ...reply, siblings: siblingsWith(before.siblings, reply.id) });
    while (item.nextElementSibling) item.nextElementSibling.remove();
    item.replaceWith(next);
    return next;
  };
  const json = { deployment: chosenDeployment() };
  run(answer((signal) => call(messages(before.parent, "answers"), { method: "POST", json, signal }), place));
}

function goOn(item) {
  if (answering) return;
  const { id } = messageOf(item);
  const place = () => {
    item.querySelector(".note").hidden = true;
    return item;
  };
  run(answer((signal) => call(messages(id, "continue"), { method: "POST", json: {}, signal }), place, item));
}

async function refresh(leaf) {
  const query = new URLSearchParams({ leaf });
  const page = await read(`${messages()}?${query}`);
  chat.dataset.earlier = page.continuation ?? "";
  earlier.hidden = !page.continuation;
  show(page.items);
}

async function other(item, step) {
  const { id, siblings } = messageOf(item);
  const wanted = siblings[siblings.indexOf(id) + step];
  if (!wanted || answering) return;
  await refresh(wanted);
  const shown = document.getElementById(`m-${wanted}`);
  shown?.scrollIntoView({ block: "nearest" });
  shown?.querySelector(`[data-action=${step < 0 ? "previous" : "next"}]:not(:disabled), .branches button:not(:disabled)`)?.focus();
}

async function edit(item) {
  if (answering) return;
  const { text, parent, attachments: files = [] } = messageOf(item);
  const changed = await editing(item, text);
  if (changed === null || !changed.trim() || answering) return;
  const after = [];
  for (let next = item; next; next = next.nextElementSibling) after.push(next);
  after.forEach((one) => one.remove());
  try {
    await ask(changed, { parent: parent ?? null, files });
  } catch {
    if (!document.querySelector("#m-sending")) list.append(...after);
  }
}

list.addEventListener("click", (event) => {
  const button = event.target.closest("[data-action]");
  const item = button?.closest(".message");
  if (!item) return;
  const acts = {
    copy: () => copy(messageOf(item).text, button),
    edit: () => edit(item),
    fold: () => fold(item, !item.classList.contains("folded")),
    again: () => regenerate(item),
    continue: () => goOn(item),
    previous: () => run(other(item, -1)),
    next: () => run(other(item, 1)),
    up: () => rate(item, "up"),
    down: () => rate(item, "down"),
  };
  acts[button.dataset.action]?.();
});

// The message grows with what is written.
function grow() {
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight}px`;
}
field.addEventListener("input", grow);
field.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    form.requestSubmit();
  } else if (event.key === "ArrowUp" && !field.value && last("user")) {
    event.preventDefault();
    edit(last("user"));
  }
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = field.value;
  if (answering || sending || !text.trim()) return;
  if (attachments.coming()) toast(t("attachments.coming"));
  else ask(text);
});
stop.addEventListener("click", () => run(answering?.stop() ?? Promise.resolve()));
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-suggests]");
  if (!button) return;
  field.value = button.dataset.suggests;
  grow();
  field.focus();
});

keys({
  answering: () => answering !== null,
  stop: () => run(answering.stop()),
  copy: () => last("assistant") && copy(messageOf(last("assistant")).text, last("assistant").querySelector("[data-action=copy]")),
  again: () => regenerate(last("assistant")),
  write: () => field.focus(),
});

const earlier = document.querySelector("#earlier");
earlier.addEventListener("click", async () => {
  const query = new URLSearchParams({ continuation: chat.dataset.earlier });
  try {
    const page = await read(`${messages()}?${query}`);
    chat.dataset.earlier = page.continuation ?? "";
    earlier.hidden = !page.continuation;
    toTop(() => prepend(page.items));
  } catch (error) {
    toast(wordsOf(error));
  }
});

// An answer that is under way when the page opens is listened to from its begin.
const open = last("assistant");
if (open?.dataset.status === "streaming") {
  const { id } = messageOf(open);
  answer((signal) => call(messages(id, "events"), { signal }), () => open, open).catch(() => setTimeout(() => location.reload(), 2000));
}
grow();
toEnd();
if (matchMedia("(pointer: fine)").matches && unfocused()) field.focus({ preventScroll: true });
