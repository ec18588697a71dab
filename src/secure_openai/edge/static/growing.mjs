// An answer while it comes: blocks that have ended stay, the one under way is drawn anew now and then,
// and what follows is text. All HTML is the server's, rendered and sanitised.
import { frame } from "./code.mjs";

const GOES_ON = "p, ul, ol, li, blockquote, .code, pre, pre > code, h3, h4, h5, h6";

export class Growing {
  constructor(element) {
    Object.assign(this, { element, text: "", html: "", draft: part("div", "draft"), tail: part("span", "tail") });
    element.classList.remove("plain");
    element.replaceChildren(this.draft);
    this.draft.append(this.tail);
  }

  // What the event says of what is shown; without that its text goes on where the last one ended.
  show({ text = "", html, draft, tail, seen }) {
    this.text += text;
    if (tail === undefined) {
      const more = seen ?? text;
      this.tail.append(this.text === text ? more.trimStart() : more);
      return;
    }
    if (html) {
      this.html += html;
      this.draft.insertAdjacentHTML("beforebegin", html);
    }
    this.draft.innerHTML = draft;
    frame(this.element);
    const place = this.#place();
    // Below a table, and where nothing stands yet, its first line is the next one anyway.
    this.tail.textContent = place === this.draft ? tail.replace(/^\s+/, "") : tail;
    place.append(this.tail);
  }

  // Where text goes on: in the paragraph, the item or the code in which it is.
  #place() {
    let place = this.draft;
    while (place.lastElementChild?.matches(GOES_ON)) place = place.lastElementChild;
    return place;
  }

  // Puts the whole in its place; what stands there already stays, and with it what is selected.
  end(html) {
    if (!html.startsWith(this.html)) return false;
    this.draft.insertAdjacentHTML("beforebegin", html.slice(this.html.length));
    this.draft.remove();
    return true;
  }
}

function part(tag, name) {
  const made = document.createElement(tag);
  made.className = name;
  return made;
}
