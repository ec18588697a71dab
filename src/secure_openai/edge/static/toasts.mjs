// Short news, with one thing that can still be done about it: over nothing that one writes with.
import { t } from "./text.mjs";

const region = document.querySelector("#toasts");
const foot = document.querySelector(".foot");
const toEnd = document.querySelector("#to-end");
const SECONDS = 6;
const GAP = 12;

export function toast(text, { action, act, seconds = SECONDS } = {}) {
  const item = document.createElement("div");
  item.className = "toast";
  const words = document.createElement("span");
  words.textContent = text;
  item.append(words);
  let before = null;
  const leave = () => {
    const held = item.contains(document.activeElement);
    item.remove();
    if (held) before?.focus();
  };
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
  bring(document.querySelector("dialog[open]") ?? document.body);
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
  item.addEventListener("focusin", ({ relatedTarget }) => {
    if (!region.contains(relatedTarget)) before = relatedTarget;
  });
  return leave;
}

// Moved only where it must be: what is moved loses the focus.
function bring(to) {
  if (region.parentElement !== to) to.append(region);
  place();
}
document.addEventListener("close", ({ target }) => target.contains(region) && bring(document.body), true);

// Below the composer where there is room, else above it and what stands over it.
function place() {
  if (!foot) return;
  const height = region.offsetHeight + 2 * GAP;
  const { left, width, top, bottom } = foot.getBoundingClientRect();
  const above = Math.min(top, toEnd.hidden ? top : toEnd.getBoundingClientRect().top);
  const apart = region.parentElement !== document.body;
  const free = apart || innerHeight - bottom >= height;
  Object.assign(region.style, apart ? { left: "", width: "" } : { left: `${left}px`, width: `${width}px` });
  region.style.insetBlockEnd = `${free ? GAP : innerHeight - above + GAP}px`;
}
if (foot) {
  const watch = new ResizeObserver(place);
  for (const one of [foot, foot.previousElementSibling, toEnd, region]) watch.observe(one);
  addEventListener("resize", place);
}
