// Sends what is written, shows the answer as it comes, and says what went wrong.
import { events } from "./events.mjs";
import "./shell.mjs";

const form = document.querySelector("#ask");
const field = document.querySelector("#text");
const send = document.querySelector("#send");
const stop = document.querySelector("#stop");
const list = document.querySelector("#messages");
const problem = document.querySelector("#problem");
const title = document.querySelector("#title");
let running = null;

function show(text) {
  problem.textContent = text;
  problem.hidden = !text;
}

function explain(details) {
  return details?.detail || details?.title || "The request failed. Try again.";
}

async function call(path, options = {}) {
  const response = await fetch(path, {
    ...options,
    headers: { "Content-Type": "application/json", Accept: "application/json", ...options.headers },
  });
  if (response.status === 401) {
    location.assign(`/sign-in?return_to=${encodeURIComponent(location.pathname)}`);
  }
  if (!response.ok) {
    throw new Error(explain(await response.json().catch(() => null)));
  }
  return response;
}

async function conversation(text) {
  if (form.dataset.conversation) return form.dataset.conversation;
  const name = text.trim().split("\n", 1)[0].slice(0, 60);
  const response = await call("/api/conversations", { method: "POST", body: JSON.stringify({ title: name }) });
  const created = await response.json();
  form.dataset.conversation = created.id;
  title.textContent = created.title;
  document.title = created.title;
  history.replaceState(null, "", `/conversations/${created.id}`);
  const item = document.createElement("li");
  const link = document.createElement("a");
  link.href = `/conversations/${created.id}`;
  link.textContent = created.title;
  link.setAttribute("aria-current", "page");
  item.append(link);
  document.querySelector("#conversations").prepend(item);
  return created.id;
}

function message(author, name) {
  const item = document.createElement("li");
  item.className = `message ${author}`;
  item.dataset.status = "streaming";
  const who = document.createElement("span");
  who.className = "author";
  who.textContent = name;
  const text = document.createElement("div");
  text.className = "text plain";
  item.append(who, text);
  list.append(item);
  return item;
}

function note(item, text) {
  const line = document.createElement("p");
  line.className = "note";
  line.textContent = text;
  item.append(line);
}

function follow() {
  const area = document.querySelector(".chat");
  const near = area.scrollHeight - area.scrollTop - area.clientHeight < 240;
  if (near) area.scrollTop = area.scrollHeight;
}

function finish(item, answer) {
  const text = item.querySelector(".text");
  if (answer.html !== null) {
    // The server has rendered and sanitised this; see edge/markdown.py.
    text.innerHTML = answer.html;
    text.classList.remove("plain");
  }
  item.dataset.status = answer.status;
  if (answer.status === "interrupted") note(item, "Interrupted: the answer stops here.");
  if (answer.note) note(item, answer.note);
}

async function ask(text) {
  const id = await conversation(text);
  const deployment = form.deployment.value;
  running = new AbortController();
  const response = await call(`/api/conversations/${encodeURIComponent(id)}/messages`, {
    method: "POST",
    body: JSON.stringify({ text, deployment }),
    signal: running.signal,
  });
  field.value = "";
  let item = null;
  let ended = false;
  try {
    for await (const { name, data } of events(response.body)) {
      if (name === "begin") {
        const mine = message("user", "You");
        mine.querySelector(".text").textContent = data.question.text;
        mine.dataset.status = "complete";
        item = message("assistant", data.answer.deployment);
        document.querySelector(".chat").scrollTop = Number.MAX_SAFE_INTEGER;
      } else if (name === "delta") {
        item.querySelector(".text").append(data.text);
        follow();
      } else if (name === "end") {
        ended = true;
        finish(item, data.answer);
        follow();
        if (data.problem) show(explain(data.problem));
      }
    }
  } finally {
    if (item && !ended) {
      item.dataset.status = "interrupted";
      note(item, "Interrupted: the answer stops here.");
    }
  }
}

document.querySelector(".chat").scrollTop = Number.MAX_SAFE_INTEGER;

form.addEventListener("submit", async (submitted) => {
  submitted.preventDefault();
  const text = field.value;
  if (running || !text.trim()) return;
  show("");
  send.disabled = true;
  stop.hidden = false;
  try {
    await ask(text);
  } catch (error) {
    if (error.name !== "AbortError") {
      show(error instanceof TypeError ? "The connection broke. What came is kept." : error.message);
    }
  } finally {
    running = null;
    send.disabled = false;
    stop.hidden = true;
    field.focus();
  }
});

stop.addEventListener("click", () => running?.abort());

// An answer that another tab, or a process that died, left under way settles within seconds.
if (list.querySelector('[data-status="streaming"]')) {
  setTimeout(() => {
    if (!running && !field.value) location.reload();
  }, 2000);
}

field.addEventListener("keydown", (pressed) => {
  if (pressed.key === "Enter" && !pressed.shiftKey && !pressed.isComposing) {
    pressed.preventDefault();
    form.requestSubmit();
  }
});
