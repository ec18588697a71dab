// A link that says otherwise than where it leads is followed only by whoever has read where that is.
import { answered, open } from "./dialogs.mjs";
import { t } from "./text.mjs";

for (const kind of ["click", "auxclick"]) {
  document.addEventListener(kind, (event) => {
    const link = event.target.closest(".prose a[data-doubt]");
    if (!link || event.button === 2) return;
    event.preventDefault();
    ask(link);
  });
}

async function ask(link) {
  const values = { text: link.firstChild?.textContent ?? "", host: link.dataset.host };
  document.querySelector("#doubt-why").textContent = link.dataset.doubt === "idn" ? t("links.idn", values) : t("links.text", values);
  document.querySelector("#doubt-address").textContent = link.getAttribute("href");
  if ((await answered(open("doubt"))) === "go") window.open(link.href, "_blank", "noopener,noreferrer");
}
