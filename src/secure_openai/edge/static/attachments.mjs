// Files beside a message: chosen, pasted or dropped; kept at once, sent with the message.
import { call, path, Problem, read } from "./calls.mjs";
import { t } from "./text.mjs";

const chips = document.querySelector("#chips");
const button = document.querySelector("#attach");
const input = document.querySelector("#file");
const field = document.querySelector("#text");
const chat = document.querySelector("#chat");
const kept = new Map();

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
    const headers = { "Content-Type": file.type || "text/plain" };
    const query = new URLSearchParams({ name: file.name || t("attachments.pasted") });
    Object.assign(entry, await read(`/api/attachments?${query}`, { method: "POST", body: file, headers }));
    name.textContent = entry.name;
  } catch (error) {
    entry.failed = true;
    chip.classList.add("failed");
    const gone = error instanceof Problem && error.status === 404;
    name.textContent = `${file.name}: ${gone ? t("attachments.not_here") : error instanceof Problem ? error.message : t("chat.offline")}`;
    if (gone) button.hidden = true;
  }
  chip.removeAttribute("aria-busy");
}

function take(entry) {
  kept.delete(entry.chip);
  entry.chip.remove();
  chips.hidden = !kept.size;
  field.focus();
  if (entry.id) call(path("attachments", entry.id), { method: "DELETE" }).catch(() => {});
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
