// Follows what is being written, unless the reader has gone back to read something else.
const talk = document.querySelector("#talk");
const down = document.querySelector("#to-end");
const NEAR = 160;
let near = true;

talk.addEventListener("scroll", () => {
  near = talk.scrollHeight - talk.scrollTop - talk.clientHeight < NEAR;
  down.hidden = near;
}, { passive: true });
down.addEventListener("click", toEnd);
// What one writes, attaches or is told takes room from below.
new ResizeObserver(following).observe(talk);

export function following() {
  if (near) talk.scrollTop = talk.scrollHeight;
}

export function toEnd() {
  near = true;
  talk.scrollTop = talk.scrollHeight;
}

// Puts something above without moving what is read.
export function toTop(put) {
  const from = talk.scrollHeight - talk.scrollTop;
  put();
  talk.scrollTop = talk.scrollHeight - from;
}
