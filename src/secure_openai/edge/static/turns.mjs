// Turns of a talk: made from the page's templates, completed with what is known of each.
import { filtered, rulesOf } from "./calls.mjs";
import { frame } from "./code.mjs";
import { language, t } from "./text.mjs";

export const list = document.querySelector("#messages");
const LONG = 1_500;
const LINES = 16;
const number = new Intl.NumberFormat(language);

export function messageOf(item) {
  return JSON.parse(item.dataset.message);
}

export function turn(message) {
  const item = document.querySelector(`#${message.author}-template`).content.firstElementChild.cloneNode(true);
  fill(item, message);
  return item;
}

// Puts a message into its item; with HTML that the server has rendered and sanitised, or as it was typed.
// One that has grown there keeps what it has.
export function fill(item, message, growing = null) {
  const { html, ...rest } = message;
  item.id = `m-${message.id}`;
  const text = item.querySelector(".text");
  if (message.author === "assistant") item.querySelector(".author").textContent = message.deployment ?? "";
  if (html && !growing?.end(html)) text.innerHTML = html;
  else if (!html) text.textContent = message.text;
  text.classList.toggle("plain", !html);
  complete(item, rest);
}

// Everything beside the text.
export function complete(item, message) {
  item.dataset.message = JSON.stringify(message);
  item.dataset.status = message.status;
  frame(item.querySelector(".text"));
  item.querySelector(".turn-actions").hidden = message.status === "streaming" || message.status === "sending";
  if (message.author === "user") fold(item, message.text.length > LONG || message.text.split("\n").length > LINES);
  branches(item, message);
  attached(item, message.attachments ?? []);
  if (message.author === "assistant") verdict(item, message);
}

// A long question shows its beginning: it is the answer that one reads.
export function fold(item, folded) {
  const button = item.querySelector("[data-action=fold]");
  if (folded) button.hidden = false;
  item.classList.toggle("folded", folded);
  button.setAttribute("aria-expanded", String(!folded));
  button.textContent = folded ? t("turn.unfold") : t("turn.fold");
}

function verdict(item, message) {
  const cut = message.finish_reason === "content_filter";
  const length = message.finish_reason === "length";
  let said = "";
  if (cut) said = stopped(message);
  else if (length) said = t("turn.length");
  else if (message.status === "interrupted") said = interrupted(message);
  else said = noted(message);
  const note = item.querySelector(".note");
  note.textContent = said;
  note.hidden = !said;
  item.querySelector("[data-action=continue]").hidden = !message.text || (message.status !== "interrupted" && !length);
  const usage = item.querySelector(".usage");
  if (message.usage) {
    const { prompt_tokens: read, completion_tokens: written } = message.usage;
    usage.textContent = t("usage.short", { tokens: number.format(read + written) });
    usage.title = t("usage.long", { read: number.format(read), written: number.format(written) });
  } else {
    usage.textContent = "";
  }
}

function interrupted(message) {
  const why = noted(message);
  if (!message.text) return why || t("chat.no_answer");
  return why ? `${t("chat.interrupted")} ${why}` : t("chat.interrupted");
}

// The server's notes are English sentences; of those other languages say what the filter did not let
// through, and how much was left out.
function noted(message) {
  const note = message.note ?? "";
  if (language === "en") return note;
  if (message.filtered) return filtered(message.filtered);
  const [, count] = note.match(/(\d+) earlier message/) ?? [];
  return count ? t("turn.left_out", { count }) : "";
}

// The server names the rules in its own sentence; other languages name them in theirs.
function stopped(message) {
  if (language === "en" && message.note) return message.note;
  return message.filtered?.length ? t("filtered.answer_rules", { rules: rulesOf(message.filtered) }) : t("filtered.answer");
}

function branches(item, { id, siblings = [] }) {
  const place = siblings.indexOf(id);
  const group = item.querySelector(".branches");
  group.hidden = siblings.length < 2;
  if (group.hidden) return;
  group.querySelector(".place").textContent = `${place + 1}/${siblings.length}`;
  group.querySelector("[data-action=previous]").disabled = place <= 0;
  group.querySelector("[data-action=next]").disabled = place >= siblings.length - 1;
}

function attached(item, files) {
  const shown = item.querySelector(".attached");
  shown.hidden = !files.length;
  shown.replaceChildren(...files.map((file) => {
    const row = document.createElement("li");
    const link = document.createElement("a");
    link.href = `/api/attachments/${encodeURIComponent(file.id)}`;
    link.target = "_blank";
    link.rel = "noopener";
    if (file.type?.startsWith("image/")) {
      const image = document.createElement("img");
      image.src = link.href;
      image.alt = file.name;
      image.loading = "lazy";
      link.append(image);
    } else {
      link.download = file.name;
      link.textContent = file.name;
    }
    row.append(link);
    return row;
  }));
}

export function show(messages) {
  list.replaceChildren(...messages.map(turn));
}

export function prepend(messages) {
  list.prepend(...messages.map(turn));
}

export function last(author) {
  return [...list.querySelectorAll(`.message.${author}`)].at(-1) ?? null;
}

for (const item of list.children) complete(item, messageOf(item));
