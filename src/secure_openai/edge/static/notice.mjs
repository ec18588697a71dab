// Accepts the notice that was read, and goes on to where one wanted to be.
import "./links.mjs";
import "./preferences.mjs";
import { call, wordsOf } from "./calls.mjs";

const form = document.querySelector("#accept");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const fault = form.querySelector(".fault");
  try {
    await call("/api/me/notice/accept", { method: "POST", json: { digest: form.dataset.digest } });
    location.assign(form.dataset.returnTo);
  } catch (error) {
    fault.textContent = wordsOf(error);
    fault.hidden = false;
  }
});
