// Copies, and says so on the button for a moment.
import { toast } from "./toasts.mjs";
import { t } from "./text.mjs";

export async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    toast(t("copy.failed"));
    return;
  }
  const drawing = button?.querySelector("path");
  document.querySelector("#announcer").textContent = t("copy.done");
  if (!drawing || button.dataset.copied) return;
  const before = drawing.getAttribute("d");
  button.dataset.copied = "true";
  drawing.setAttribute("d", "M5 12.5l4.5 4.5L19 7.5");
  setTimeout(() => {
    drawing.setAttribute("d", before);
    delete button.dataset.copied;
  }, 1600);
}
