// Forms that act are sent from where one stands: what fails says so there, and everything that was
// written is still in them. Without scripts they are sent as forms are.
import { Problem, call } from "./calls.mjs";
import { t } from "./text.mjs";

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || !form.closest("main")) return;
  event.preventDefault();
  if (form.ariaBusy !== "true") send(form, event.submitter);
});

// Who comes back by the browser's own button finds forms that can be sent.
addEventListener("pageshow", () => document.querySelectorAll("form[aria-busy]").forEach(rest));

// What was pressed is sent, too: a form may have several ends.
async function send(form, pressed) {
  form.ariaBusy = "true";
  form.querySelector(":scope > .fault")?.remove();
  try {
    const answer = await call(form.action, { method: "POST", body: new URLSearchParams(new FormData(form, pressed)) });
    location.assign((await answer.json()).location);
  } catch (error) {
    rest(form);
    tell(form, error instanceof Problem ? wordsOf(form, error) : t("acts.cut"));
    const field = error.details?.pointer && form.elements[error.details.pointer.slice(1)];
    if (field) field.ariaInvalid = "true";
  }
}

// What the page itself says of a refusal is in its language, and more to the point.
const wordsOf = (form, problem) => (problem.status === 400 && form.dataset.refused) || problem.message;

function tell(form, words) {
  const fault = document.createElement("p");
  fault.className = "fault";
  fault.setAttribute("role", "alert");
  form.append(fault);
  fault.textContent = words;
}

function rest(form) {
  form.ariaBusy = null;
}
