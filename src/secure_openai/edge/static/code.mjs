// Frames blocks of code: their language, and a button that copies them.
import { copy } from "./copying.mjs";
import { t } from "./text.mjs";

export function frame(text) {
  for (const block of text.querySelectorAll("pre:not(.plain)")) {
    if (block.parentElement.className === "code") continue;
    const figure = document.createElement("div");
    figure.className = "code";
    const header = document.createElement("header");
    const name = document.createElement("span");
    name.textContent = block.dataset.language ?? t("code.code");
    const button = document.querySelector("#assistant-template").content.querySelector("[data-action=copy]").cloneNode(true);
    button.dataset.action = "copy-code";
    button.title = t("code.copy");
    button.setAttribute("aria-label", t("code.copy"));
    header.append(name, button);
    block.replaceWith(figure);
    figure.append(header, block);
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-action=copy-code]");
  if (button) copy(button.closest(".code").querySelector("pre").textContent, button);
});
