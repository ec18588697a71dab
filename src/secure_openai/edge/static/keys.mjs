// Keys that act from anywhere; those of a single sign can be turned off (WCAG 2.2, 2.1.4).
import { open } from "./dialogs.mjs";
import { openSide, toggleSide } from "./side.mjs";

const single = document.querySelector("#single-keys");
single.checked = localStorage.getItem("single-keys") !== "off";
single.addEventListener("change", () => localStorage.setItem("single-keys", single.checked ? "on" : "off"));

// Where the side is put away, its field cannot be reached before it is back.
function search() {
  openSide();
  document.querySelector("#search").focus();
}

const writing = (target) => target.closest?.("input, textarea, select, [contenteditable]");

export function keys(acts) {
  document.addEventListener("keydown", (event) => {
    if (event.isComposing || document.querySelector("dialog[open]")) return;
    const act = actOf(event, acts);
    if (!act) return;
    event.preventDefault();
    act();
  });
}

function actOf(event, acts) {
  const key = event.key.toLowerCase();
  const control = event.ctrlKey || event.metaKey;
  if (control && event.shiftKey && key === "o") return () => location.assign("/");
  if (control && !event.shiftKey && key === "k") return search;
  if (control && !event.shiftKey && key === "b") return toggleSide;
  if (event.altKey && !control && event.code === "KeyC") return acts.copy;
  if (event.altKey && !control && event.code === "KeyR") return acts.again;
  if (key === "escape" && acts.answering()) return acts.stop;
  if (control || event.altKey || writing(event.target) || !single.checked) return null;
  if (event.key === "/") return acts.write;
  if (event.key === "?") return () => open("keys");
  return null;
}
