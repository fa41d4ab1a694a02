// A command for a shell, with a button that copies it.

import { fill, slot } from "./dom.js";

const COPIED_MILLISECONDS = 1500;

/** Show a command in the element that has its place and its button. */
export function showCommand(element, command) {
  fill(element, { command });
  const button = slot(element, "copy");
  button.addEventListener("click", () => copy(command, element, button));
}

async function copy(command, element, button) {
  try {
    await navigator.clipboard.writeText(command);
    button.textContent = "Copied";
  } catch {
    // The clipboard is closed to pages that came without TLS from another machine.
    getSelection().selectAllChildren(slot(element, "command"));
    button.textContent = "Selected";
  }
  setTimeout(() => {
    button.textContent = "Copy";
  }, COPIED_MILLISECONDS);
}
