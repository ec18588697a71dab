// Menus open beside their button and are walked with the arrow keys.
const GAP = 6;
const EDGE = 8;

document.addEventListener("toggle", (event) => {
  const menu = event.target;
  if (!(menu instanceof HTMLElement) || !menu.matches(".menu[popover]")) return;
  const button = document.querySelector(`[popovertarget="${CSS.escape(menu.id)}"][aria-expanded="true"]`) ?? opener(menu);
  for (const one of document.querySelectorAll(`[popovertarget="${CSS.escape(menu.id)}"]`)) {
    one.setAttribute("aria-expanded", String(event.newState === "open" && one === button));
  }
  if (event.newState !== "open") return;
  if (button) place(menu, button);
  if (button?.matches(":focus-visible")) items(menu)[0]?.focus();
}, true);

let pressed = null;
document.addEventListener("click", (event) => {
  const button = event.target.closest("[popovertarget]");
  if (button) pressed = button;
  else if (event.target.closest(".menu[popover] > :is(button, a)")) event.target.closest(".menu").hidePopover();
}, true);

document.addEventListener("keydown", (event) => {
  const menu = event.target.closest?.(".menu[popover]");
  if (!menu) return;
  const all = items(menu);
  const here = all.indexOf(document.activeElement);
  const to = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: all.length - 1 }[event.key];
  if (to === undefined || event.target.matches("input, textarea")) return;
  event.preventDefault();
  all.at(to % all.length).focus();
});

function opener(menu) {
  return pressed?.getAttribute("popovertarget") === menu.id ? pressed : document.querySelector(`[popovertarget="${CSS.escape(menu.id)}"]`);
}

function items(menu) {
  return [...menu.querySelectorAll("button, a")].filter((one) => one.checkVisibility());
}

// Below the button if there is room, else above; within the window always.
export function place(menu, button) {
  const box = button.getBoundingClientRect();
  // It is measured where there is room for all of it.
  menu.style.left = menu.style.top = "0";
  const { offsetWidth: width, offsetHeight: height } = menu;
  const below = box.bottom + GAP + height <= innerHeight - EDGE || box.top < height;
  const end = menu.dataset.align === "end";
  const left = end ? box.right - width : box.left;
  menu.style.left = `${Math.max(EDGE, Math.min(left, innerWidth - width - EDGE))}px`;
  menu.style.top = `${Math.max(EDGE, below ? Math.min(box.bottom + GAP, innerHeight - height - EDGE) : box.top - GAP - height)}px`;
}
