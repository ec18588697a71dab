// Who answers, under which instructions, and what is left of one's quota.
import { readIfThere } from "./calls.mjs";
import { language, t } from "./text.mjs";

const number = new Intl.NumberFormat(language);
const remembered = (key) => localStorage.getItem(key);
const deployments = [...document.querySelectorAll("[data-deployment]")];
const quota = document.querySelector("#quota");
const quotaMenu = document.querySelector("#quota-menu");
const instructionMenu = document.querySelector("#instruction-menu");
const instructionRows = document.querySelector("#instruction-choices");

let deployment = deployments.find((one) => one.dataset.deployment === remembered("deployment")) ?? deployments[0];
let instruction = "";

export const chosenDeployment = () => deployment?.dataset.deployment ?? "";
export const chosenInstruction = () => instruction || null;

function choose(button) {
  deployment = button;
  localStorage.setItem("deployment", button.dataset.deployment);
  document.querySelector("#deployment-name").textContent = button.dataset.deployment;
  for (const one of deployments) one.setAttribute("aria-pressed", String(one === button));
  showQuota();
}

document.querySelector("#deployment-menu").addEventListener("click", (event) => {
  const button = event.target.closest("[data-deployment]");
  if (button) choose(button);
});

export async function loadInstructions() {
  const page = await readIfThere("/api/me/instructions");
  document.querySelector("#instruction-button").hidden = !page;
  if (!page) return;
  const template = document.querySelector("#choice-template");
  instructionRows.replaceChildren(...page.items.map(({ id, name, text }) => {
    const row = template.content.firstElementChild.cloneNode(true);
    row.dataset.instruction = id;
    row.querySelector("strong").textContent = name;
    row.querySelector(".fine").textContent = text.slice(0, 90);
    return row;
  }));
  const known = page.items.some(({ id }) => id === remembered("instruction"));
  follow(known ? remembered("instruction") : "");
}

function follow(id) {
  instruction = id;
  localStorage.setItem("instruction", id);
  for (const row of instructionMenu.querySelectorAll("[data-instruction]")) {
    const mine = row.dataset.instruction === id;
    row.setAttribute("aria-pressed", String(mine));
    if (mine) document.querySelector("#instruction-name").textContent = row.querySelector("strong").textContent;
  }
  document.querySelector("#instruction-button").classList.toggle("active", Boolean(id));
}

instructionMenu.addEventListener("click", (event) => {
  const row = event.target.closest("[data-instruction]");
  if (!row) return;
  follow(row.dataset.instruction);
  instructionMenu.hidePopover();
});

let standings = null;
export async function loadQuota() {
  standings = (await readIfThere("/api/me/quota"))?.items ?? null;
  showQuota();
}

function showQuota() {
  const mine = standings?.find((one) => one.deployment === chosenDeployment());
  quota.hidden = !mine;
  if (!mine) return;
  const left = ({ limit, left: rest }) => (limit ? rest / limit : 1);
  const share = Math.min(left(mine.day.tokens), left(mine.day.requests));
  quota.textContent = t("quota.left", { percent: number.format(Math.floor(share * 100)) });
  quotaMenu.replaceChildren(
    line(t("quota.day_tokens"), mine.day.tokens),
    line(t("quota.day_requests"), mine.day.requests),
    line(t("quota.minute_tokens"), mine.minute.tokens),
    line(t("quota.minute_requests"), mine.minute.requests),
  );
}

function line(name, { limit, used, left }) {
  const row = document.createElement("div");
  row.className = "line";
  const words = document.createElement("span");
  words.textContent = name;
  const figures = document.createElement("span");
  figures.className = "fine";
  figures.textContent = t("quota.of", { left: number.format(left), limit: number.format(limit) });
  const meter = document.createElement("meter");
  meter.className = "meter";
  Object.assign(meter, { max: limit || 1, value: used, low: limit * 0.7, high: limit * 0.9, optimum: 0 });
  meter.setAttribute("aria-label", name);
  row.append(words, figures, meter);
  return row;
}

if (deployment) choose(deployment);
loadInstructions();
loadQuota();
