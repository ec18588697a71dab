// Edits a question in its place. Resolves with the text to send, or null where it was left.
import { t } from "./text.mjs";

export function editing(item, text) {
  if (item.querySelector(".editing")) return Promise.resolve(null);
  const shown = item.querySelector(".text");
  const actions = item.querySelector(".turn-actions");
  const form = document.createElement("form");
  form.className = "editing";
  const field = document.createElement("textarea");
  field.className = "input";
  field.value = text;
  field.setAttribute("aria-label", t("turn.edit"));
  const row = document.createElement("div");
  row.className = "actions";
  row.append(button(t("common.cancel"), "button", "quiet"), button(t("turn.resend"), "submit", ""));
  form.append(field, row);
  shown.hidden = actions.hidden = true;
  shown.after(form);
  const size = () => {
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight + 2}px`;
  };
  size();
  field.focus();
  field.setSelectionRange(text.length, text.length);
  return new Promise((resolve) => {
    const leave = (result) => {
      form.remove();
      shown.hidden = actions.hidden = false;
      if (result === null) actions.querySelector("[data-action=edit]").focus();
      resolve(result);
    };
    field.addEventListener("input", size);
    field.addEventListener("keydown", (event) => {
      if (event.key === "Escape") leave(null);
      else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        form.requestSubmit();
      }
    });
    row.firstChild.addEventListener("click", () => leave(null));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (field.value.trim()) leave(field.value);
    });
  });
}

function button(words, type, kind) {
  const made = document.createElement("button");
  made.type = type;
  made.className = `button small ${kind}`;
  made.textContent = words;
  return made;
}
