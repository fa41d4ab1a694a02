// Tabs by the pattern of the ARIA practices: arrows move between them, and one of them is
// in the order of the tabulator key.

const MOVES = {
  ArrowRight: (index, count) => (index + 1) % count,
  ArrowLeft: (index, count) => (index + count - 1) % count,
  Home: () => 0,
  End: (index, count) => count - 1,
};

/** Make a tab list work. Elements elsewhere with data-opens-tab open a tab of it. */
export function startTabs(list) {
  const tabs = [...list.querySelectorAll("[role=tab]")];
  list.addEventListener("click", (event) => {
    const tab = event.target.closest("[role=tab]");
    if (tab) open(tabs, tab);
  });
  list.addEventListener("keydown", (event) => {
    const move = MOVES[event.key];
    if (!move) return;
    event.preventDefault();
    const next = tabs[move(tabs.indexOf(document.activeElement), tabs.length)];
    open(tabs, next);
    next.focus();
  });
  for (const opener of document.querySelectorAll("[data-opens-tab]")) {
    opener.addEventListener("click", () => {
      const tab = document.getElementById(opener.dataset.opensTab);
      open(tabs, tab);
      tab.focus();
    });
  }
}

function open(tabs, opened) {
  for (const tab of tabs) {
    const isOpen = tab === opened;
    tab.setAttribute("aria-selected", String(isOpen));
    tab.tabIndex = isOpen ? 0 : -1;
    if (isOpen) tab.scrollIntoView({ block: "nearest", inline: "center" });
    document.getElementById(tab.getAttribute("aria-controls")).hidden = !isOpen;
  }
}
