// Short news at the foot of the page, with one thing that can still be done about it.
import { t } from "./text.mjs";

const region = document.querySelector("#toasts");
const SECONDS = 6;

export function toast(text, { action, act, seconds = SECONDS } = {}) {
  const item = document.createElement("div");
  item.className = "toast";
  const words = document.createElement("span");
  words.textContent = text;
  item.append(words);
  const leave = () => item.remove();
  if (action) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button small";
    button.textContent = action;
    button.addEventListener("click", () => {
      leave();
      act();
    });
    item.append(button);
  }
  const close = document.createElement("button");
  close.type = "button";
  close.className = "button icon-only small";
  close.setAttribute("aria-label", t("common.close"));
  close.textContent = "✕";
  close.addEventListener("click", leave);
  item.append(close);
  // An open dialog is above everything else: what is said meanwhile must be too.
  (document.querySelector("dialog[open]") ?? document.body).append(region);
  region.append(item);
  // Whoever reads it, or is about to press its button, is given the time to.
  let timer = setTimeout(leave, seconds * 1000);
  for (const come of ["pointerenter", "focusin"]) item.addEventListener(come, () => clearTimeout(timer));
  for (const go of ["pointerleave", "focusout"]) {
    item.addEventListener(go, () => {
      clearTimeout(timer);
      timer = setTimeout(leave, seconds * 1000);
    });
  }
  return leave;
}
