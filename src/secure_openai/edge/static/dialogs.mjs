// Dialogs: opened by whatever has data-opens="ID", closed by Escape, their button or the ground behind.
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) open(opener.dataset.opens);
  if (event.target instanceof HTMLDialogElement && outside(event)) event.target.close();
});

export function open(id) {
  const dialog = document.getElementById(id);
  document.querySelector("[popover]:popover-open")?.hidePopover();
  if (dialog && !dialog.open) dialog.showModal();
  return dialog;
}

// Resolves with the value of the button that closed it, "" where it was left.
export function answered(dialog) {
  dialog.returnValue = "";
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true });
  });
}

function outside({ target, clientX, clientY }) {
  const box = target.getBoundingClientRect();
  return clientX < box.left || clientX > box.right || clientY < box.top || clientY > box.bottom;
}
