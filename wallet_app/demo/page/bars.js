// Bars for amounts, and columns for counts.

import { countText, thousandths } from "./amounts.js";
import { fill, fromTemplate, keep } from "./dom.js";

/** Show amounts as bars in a list: {name, minor} each. */
export function showBars(list, amounts, money) {
  const most = amounts.reduce((one, { minor }) => (minor > one ? minor : one), 1n);
  keep(list, amounts, {
    key: ({ name }) => name,
    create: () => fromTemplate("bar-template"),
    update: (element, { name, minor }) => {
      fill(element, { name, amount: money(minor) });
      const share = Math.max(0.4, thousandths(minor, 0n, most) / 10);
      element.querySelector("rect").setAttribute("width", `${share}%`);
    },
  });
}

/** Show counts as columns in a list: {label, count} each. */
export function showColumns(list, columns) {
  const most = Math.max(1, ...columns.map(({ count }) => count));
  keep(list, columns, {
    key: ({ label }) => label,
    create: () => fromTemplate("column-template"),
    update: (element, { label, count }) => {
      fill(element, { label, count: count ? countText(count) : "" });
      const share = count ? Math.max(2, (count / most) * 100) : 0;
      const bar = element.querySelector("rect");
      bar.setAttribute("height", `${share}%`);
      bar.setAttribute("y", `${100 - share}%`);
    },
  });
}
