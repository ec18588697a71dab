// A theme takes effect where one stands; the server keeps it for the next page, also where one goes there at once.
document.addEventListener("submit", async (event) => {
  const chosen = event.submitter;
  if (!event.target.matches(".theme-choice") || !chosen) return;
  event.preventDefault();
  document.documentElement.dataset.theme = chosen.value;
  document.querySelector("meta[name=color-scheme]").content = chosen.value === "system" ? "light dark" : chosen.value;
  for (const button of document.querySelectorAll(".theme-choice button")) {
    button.setAttribute("aria-pressed", String(button.value === chosen.value));
  }
  await fetch("/preferences", { method: "POST", body: new URLSearchParams({ theme: chosen.value }), redirect: "manual", keepalive: true });
});
