// Files beside a message: chosen, pasted or dropped; kept at once, sent with the message.
import { call, path, Problem, read, wordsOf } from "./calls.mjs";
import { language, t } from "./text.mjs";

const chips = document.querySelector("#chips");
const button = document.querySelector("#attach");
const input = document.querySelector("#file");
const field = document.querySelector("#text");
const chat = document.querySelector("#chat");
const kept = new Map();
const largest = Number(input.dataset.largest);
const isPicture = ({ type }) => type.startsWith("image/");
const megabytes = new Intl.NumberFormat(language, { style: "unit", unit: "megabyte", maximumFractionDigits: 1 });
const sizeOf = (bytes) => megabytes.format(Math.max(bytes, 50_000) / 1_000_000);

export const ids = () => [...kept.values()].filter((one) => one.id).map((one) => one.id);
export const files = () => [...kept.values()].filter((one) => one.id);
export const coming = () => [...kept.values()].some((one) => !one.id && !one.failed);

// What was sent is no longer ours to remove.
export function clear() {
  kept.clear();
  chips.replaceChildren();
  chips.hidden = true;
}

async function add(file) {
  const chip = document.createElement("li");
  const name = document.createElement("span");
  const remove = document.createElement("button");
  const entry = { chip, name: file.name, type: file.type };
  chip.className = "chip";
  chip.setAttribute("aria-busy", "true");
  name.className = "name";
  name.textContent = file.name;
  remove.type = "button";
  remove.className = "link";
  remove.textContent = "✕";
  remove.setAttribute("aria-label", t("attachments.remove", { name: file.name }));
  remove.addEventListener("click", () => take(entry));
  chip.append(name, remove);
  chips.append(chip);
  chips.hidden = false;
  kept.set(chip, entry);
  try {
    const smaller = await sendable(file);
    const body = smaller?.body ?? file;
    const headers = { "Content-Type": body.type || "text/plain" };
    const called = smaller ? file.name.replace(/\.[^.]*$/, ".jpg") : file.name;
    const query = new URLSearchParams({ name: called || t("attachments.pasted") });
    Object.assign(entry, await read(`/api/attachments?${query}`, { method: "POST", body, headers }));
    name.textContent = entry.name;
    if (isPicture(entry)) name.before(preview(entry.id));
    if (smaller) name.after(said(entry, smaller, file));
    // It was taken away while it was on its way.
    if (!kept.has(chip)) forget(entry);
  } catch (error) {
    entry.failed = true;
    chip.classList.add("failed");
    const gone = error instanceof Problem && error.status === 404;
    const why = error instanceof TooLarge ? error.message : wordsOf(error);
    name.textContent = `${file.name}: ${gone ? t("attachments.not_here") : why}`;
    if (gone) button.hidden = true;
  }
  chip.removeAttribute("aria-busy");
}

class TooLarge extends Error {}

// A picture that is too large, or of a kind that is not read here, is made a smaller one of a kind that is.
async function sendable(file) {
  try {
    // Few messages have a picture: what makes them smaller comes when one does.
    const made = isPicture(file) ? await (await import("./pictures.mjs")).fitted(file, largest) : null;
    if (made || file.size <= largest) return made;
  } catch {
    // What this browser cannot read the server explains, if it is not too large for that.
    if (file.size <= largest) return null;
    throw new TooLarge(t("attachments.unreadable", { size: sizeOf(largest) }));
  }
  throw new TooLarge(t("attachments.too_large", { size: sizeOf(largest) }));
}

function said(entry, { body, width, height }, file) {
  const how = t("attachments.smaller", { width, height, size: sizeOf(body.size), before: sizeOf(file.size) });
  const line = document.createElement("span");
  line.className = "fine";
  line.textContent = how;
  document.querySelector("#announcer").textContent = t("attachments.made_smaller", { name: entry.name, how });
  return line;
}

function preview(id) {
  const image = document.createElement("img");
  image.src = path("attachments", id);
  image.alt = "";
  return image;
}

const forget = ({ id }) => call(path("attachments", id), { method: "DELETE" }).catch(() => {});

function take(entry) {
  kept.delete(entry.chip);
  entry.chip.remove();
  chips.hidden = !kept.size;
  field.focus();
  if (entry.id) forget(entry);
}

button.addEventListener("click", () => input.click());
input.addEventListener("change", () => {
  for (const file of input.files) add(file);
  input.value = "";
});
field.addEventListener("paste", (event) => {
  const pasted = [...event.clipboardData.files];
  if (!pasted.length) return;
  event.preventDefault();
  pasted.forEach(add);
});
const carries = (event) => event.dataTransfer?.types.includes("Files");
chat.addEventListener("dragover", (event) => {
  if (!carries(event)) return;
  event.preventDefault();
  chat.dataset.dropping = "true";
});
chat.addEventListener("dragleave", (event) => {
  if (!chat.contains(event.relatedTarget)) delete chat.dataset.dropping;
});
chat.addEventListener("drop", (event) => {
  delete chat.dataset.dropping;
  if (!carries(event)) return;
  event.preventDefault();
  [...event.dataTransfer.files].forEach(add);
});
