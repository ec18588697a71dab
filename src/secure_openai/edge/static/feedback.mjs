// What a person thinks of an answer: up or down, and why.
import { call, path, readIfThere, wordsOf } from "./calls.mjs";
import { open } from "./dialogs.mjs";
import { known, t } from "./text.mjs";
import { toast } from "./toasts.mjs";
import { messageOf } from "./turns.mjs";

const chat = document.querySelector("#chat");
const dialog = document.querySelector("#feedback");
const form = document.querySelector("#feedback-form");
const reasons = document.querySelector("#reasons");
let about = null;

const addressOf = (item) => path("conversations", chat.dataset.conversation, "messages", messageOf(item).id, "feedback");

function press(item, rating) {
  for (const one of ["up", "down"]) item.querySelector(`[data-action=${one}]`).setAttribute("aria-pressed", String(one === rating));
}

// One after the other: what was pressed last is what is kept.
let telling = Promise.resolve();
export function rate(item, rating) {
  const before = item.querySelector(`[data-action=${rating}]`).getAttribute("aria-pressed") === "true";
  press(item, before ? null : rating);
  telling = telling.then(() => tell(item, rating, before));
}

async function tell(item, rating, before) {
  try {
    if (before) {
      await call(addressOf(item), { method: "DELETE" });
      return;
    }
    await call(addressOf(item), { method: "PUT", json: { rating } });
    if (rating === "up") toast(t("feedback.thanks"), { action: t("feedback.say_more"), act: () => askWhy(item, rating) });
    else await askWhy(item, rating);
  } catch (error) {
    press(item, before ? rating : null);
    toast(wordsOf(error));
  }
}

async function askWhy(item, rating) {
  about = { item, rating };
  form.reset();
  const listed = (await readIfThere("/api/feedback/reasons"))?.items ?? [];
  reasons.replaceChildren(...listed.filter((one) => !one.rating || one.rating === rating).map(chip));
  open("feedback");
}

function chip(one) {
  const slug = one.slug ?? one.id ?? one;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button secondary small";
  button.dataset.reason = slug;
  button.setAttribute("aria-pressed", "false");
  button.textContent = known("reason." + slug) ? t("reason." + slug) : one.means ?? slug;
  return button;
}

reasons.addEventListener("click", (event) => {
  const button = event.target.closest("[data-reason]");
  if (!button) return;
  const before = button.getAttribute("aria-pressed") === "true";
  for (const one of reasons.children) one.setAttribute("aria-pressed", String(one === button && !before));
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const json = { rating: about.rating };
  const reason = reasons.querySelector("[aria-pressed=true]")?.dataset.reason;
  const comment = form.elements.comment.value.trim();
  if (reason) json.reason = reason;
  if (comment) json.comment = comment;
  const fault = form.querySelector(".fault");
  try {
    await call(addressOf(about.item), { method: "PUT", json });
    dialog.close();
    toast(t("feedback.thanks"));
    fault.hidden = true;
  } catch (error) {
    fault.textContent = wordsOf(error);
    fault.hidden = false;
  }
});

document.querySelector("[data-closes=feedback]").addEventListener("click", () => dialog.close());

// What was said before stands on the answers of a conversation that is opened.
if (chat.dataset.conversation) {
  readIfThere(path("conversations", chat.dataset.conversation, "feedback")).then((page) => {
    for (const { message, rating } of page?.items ?? []) {
      const item = document.getElementById(`m-${message}`);
      if (item) press(item, rating);
    }
  });
}
