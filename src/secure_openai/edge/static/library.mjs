// Saved texts: prompts that are put into the message, instructions that every answer follows.
import { call, Problem, read, wordsOf } from "./calls.mjs";
import { loadInstructions } from "./choices.mjs";
import { t } from "./text.mjs";
import { toast } from "./toasts.mjs";

const field = document.querySelector("#text");

// A part of the product that this installation does not have answers 404: null.
const there = (url) => read(url).catch((error) => {
  if (error instanceof Problem && error.status === 404) return null;
  throw error;
});

class Library {
  constructor(element) {
    Object.assign(this, { element, kind: element.dataset.library, url: element.dataset.url, items: [], shared: [], loaded: false });
    this.dialog = element.closest("dialog");
    this.form = element.querySelector("form");
    element.addEventListener("click", (event) => this.#pressed(event));
    this.form.addEventListener("submit", (event) => this.#save(event));
    element.querySelector("input[type=search]")?.addEventListener("input", () => this.#list());
    this.dialog.addEventListener("toggle", (event) => event.newState === "open" && this.load());
  }

  async load() {
    this.#edit(null);
    try {
      const [mine, shared] = await Promise.all([there(this.url), this.kind === "prompts" ? there("/api/prompts") : null]);
      Object.assign(this, { items: mine?.items ?? [], shared: shared?.items ?? [], loaded: true });
    } catch (error) {
      // What was there stays: that nothing is saved need not be true.
      toast(wordsOf(error));
    }
    this.#list();
  }

  #list() {
    const words = this.element.querySelector("input[type=search]")?.value.trim().toLocaleLowerCase() ?? "";
    const wanted = ({ name, text }) => `${name} ${text}`.toLocaleLowerCase().includes(words);
    const rows = [...this.items.filter(wanted).map((one) => this.#row(one, true)), ...this.shared.filter(wanted).map((one) => this.#row(one, false))];
    this.element.querySelector(".saved").replaceChildren(...rows);
    this.element.querySelector(".nothing").hidden = rows.length > 0 || !this.loaded || !this.form.hidden;
  }

  #row(one, own) {
    const row = document.querySelector("#saved-template").content.firstElementChild.cloneNode(true);
    row.querySelector("strong").textContent = one.name;
    row.querySelector(".fine").textContent = one.text;
    const whose = row.querySelector(".whose");
    whose.textContent = t("prompts.organisation");
    whose.hidden = own;
    for (const button of row.querySelectorAll("[data-library-do]")) button.hidden = !own;
    row.one = one;
    return row;
  }

  #pressed(event) {
    const button = event.target.closest("button");
    const one = button?.closest("li")?.one;
    const what = button?.dataset.libraryDo;
    if (what === "add") this.#edit({});
    else if (what === "cancel") this.#edit(null);
    else if (what === "edit") this.#edit(one);
    else if (what === "remove") this.#remove(one);
    else if (button?.classList.contains("use")) this.#use(one);
  }

  #use(one) {
    if (this.kind === "instructions") return this.#edit(one);
    this.dialog.close();
    field.setRangeText(one.text, field.selectionStart, field.selectionEnd, "end");
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.focus();
  }

  #edit(one) {
    const open = one !== null;
    this.form.hidden = !open;
    this.element.querySelector(".saved").hidden = open;
    for (const part of this.element.querySelectorAll(".listing")) part.hidden = open;
    this.#fault("");
    this.#list();
    if (!open) return;
    for (const name of ["id", "etag", "name", "text"]) this.form.elements[name].value = one[name] ?? "";
    this.form.elements.name.focus();
  }

  #fault(text) {
    const line = this.form.querySelector(".fault");
    line.textContent = text;
    line.hidden = !text;
  }

  async #save(event) {
    event.preventDefault();
    const { id, etag, name, text } = Object.fromEntries(new FormData(this.form));
    const json = { name: name.trim(), text: text.trim() };
    try {
      if (id) await read(`${this.url}/${encodeURIComponent(id)}`, { method: "PUT", json, etag });
      else await read(this.url, { method: "POST", json });
      await this.load();
      this.#changed();
    } catch (error) {
      this.#fault(wordsOf(error));
    }
  }

  async #remove(one) {
    try {
      await call(`${this.url}/${encodeURIComponent(one.id)}`, { method: "DELETE", etag: one.etag });
    } catch (error) {
      toast(wordsOf(error));
    }
    await this.load();
    this.#changed();
  }

  #changed() {
    if (this.kind === "instructions") loadInstructions();
  }
}

for (const element of document.querySelectorAll("[data-library]")) new Library(element);
