// One answer from its begin to its end. A connection that breaks is taken up again where it broke.
import { call, path, Problem, read } from "./calls.mjs";
import { events } from "./events.mjs";

// As long as the server lets an answer go on to which nobody listens.
const GRACE = 1000 * Number(document.querySelector("#chat").dataset.grace);
const PAUSES = [300, 700, 1500, 3000];

export class Answering {
  // `start` returns the response whose events are read; `told` hears of each: begin, delta, end, title,
  // and of `lost` and `found`, when a connection breaks and comes back.
  constructor(conversation, start, told) {
    Object.assign(this, { conversation, start, told, answer: null, last: null, ended: false, leaving: new AbortController() });
  }

  // Returns when the answer has ended. Throws what refused it, or TypeError where nothing was begun.
  async run() {
    try {
      await this.#read(await this.start(this.leaving.signal));
    } catch (error) {
      if (!this.answer || error instanceof Problem || this.leaving.signal.aborted) throw error;
    }
    if (!this.ended && !this.leaving.signal.aborted) await this.#resume();
  }

  async #read(response) {
    for await (const { name, id, data } of events(response.body)) {
      if (id) this.last = id;
      if (name === "begin") this.answer = data.answer.id;
      if (name === "end") this.ended = true;
      this.told(name, data);
    }
  }

  async #resume() {
    this.told("lost");
    const until = Date.now() + GRACE;
    for (let attempt = 0; Date.now() < until; attempt += 1) {
      await new Promise((go) => setTimeout(go, PAUSES[Math.min(attempt, PAUSES.length - 1)]));
      try {
        const headers = this.last ? { "Last-Event-ID": this.last } : {};
        const response = await call(this.#path("events"), { headers, signal: this.leaving.signal });
        this.told("found");
        await this.#read(response);
        if (this.ended) return;
      } catch (error) {
        if (this.leaving.signal.aborted) throw error;
        // It ended meanwhile, or is under way in another process: what is kept says how it stands.
        if (error instanceof Problem) break;
      }
    }
    await this.#settle();
  }

  async #settle() {
    const { items } = await read(`${path("conversations", this.conversation, "messages")}?leaf=${encodeURIComponent(this.answer)}`);
    const kept = items.find((one) => one.id === this.answer);
    this.ended = true;
    this.told("found");
    if (kept) this.told("end", { answer: kept, problem: null });
  }

  async stop() {
    if (!this.answer) return this.leaving.abort();
    try {
      await call(this.#path("stop"), { method: "POST" });
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.leaving.abort();
    }
  }

  #path(what) {
    return path("conversations", this.conversation, "messages", this.answer, what);
  }
}
