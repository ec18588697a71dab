// The side can be put away; on a narrow screen it is a drawer over the page.
const shell = document.querySelector(".shell");
const side = document.querySelector("#side");
const main = document.querySelector("#main");
const narrow = matchMedia("(max-width: 56rem)");
let opener = null;

export function toggleSide() {
  if (narrow.matches) drawer(shell.dataset.side !== "open");
  else if (shell.dataset.side === "closed") delete shell.dataset.side;
  else shell.dataset.side = "closed";
}

export function openSide() {
  if (!narrow.matches) delete shell.dataset.side;
  else if (shell.dataset.side !== "open") drawer(true);
}

export function closeDrawer() {
  if (narrow.matches && shell.dataset.side === "open") drawer(false);
}

function drawer(open) {
  if (open) {
    opener = document.activeElement;
    shell.dataset.side = "open";
  } else {
    delete shell.dataset.side;
  }
  main.inert = open;
  if (open) enter();
  else opener?.focus();
}

// The focus goes where something can be seen: once the drawer has come, if it is still wanted.
async function enter() {
  await Promise.allSettled(side.getAnimations().map((motion) => motion.finished));
  if (main.inert && !side.contains(document.activeElement)) side.querySelector("a, button").focus({ preventScroll: true });
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-side]");
  if (button?.dataset.side === "toggle") toggleSide();
  else if (button?.dataset.side === "close") closeDrawer();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !document.querySelector("dialog[open], [popover]:popover-open")) closeDrawer();
});
narrow.addEventListener("change", () => {
  if (!narrow.matches) {
    main.inert = false;
    delete shell.dataset.side;
  }
});
