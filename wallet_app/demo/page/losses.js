// What a service without locks has lost in a storm: one lost update, step by step, and
// what each wallet should have.

import { countText, fromJson } from "./amounts.js";
import { book } from "./book.js";
import { byId, fill, fromTemplate, keep } from "./dom.js";
import { sumWords } from "./readout.js";

const WALLETS_MAX = 8;

/** Show the losses of a storm, or nothing as long as there are none to show. */
export function showLosses({ losses, sumBefore, sumAfter }) {
  const place = byId("losses");
  const wasHidden = place.hidden;
  place.hidden = !losses;
  if (!losses) return;
  const { wrong, breaks, transactions, example } = losses;
  byId("losses-title").textContent = `Without locks: ${sumWords(fromJson(sumAfter) - fromJson(sumBefore), false)}`;
  byId("losses-breaks").textContent = breaksWords(breaks, transactions);
  keep(byId("losses-wallets"), wrong.slice(0, WALLETS_MAX), {
    key: ({ name }) => name,
    create: () => fromTemplate("loss-template"),
    update: showWallet,
  });
  byId("lanes").hidden = example === null;
  byId("lanes-words").textContent = example ? "" : "No two transactions in a row began from the same balance: try more clients.";
  if (example) showLanes(example);
  if (wasHidden) place.scrollIntoView({ block: "nearest" });
}

function breaksWords(breaks, transactions) {
  const count = `${countText(breaks)} of ${countText(transactions)} transactions`;
  return `${count} do not begin from the balance at which the one before them ended.`;
}

function rupees(minor) {
  return book.money(minor, "INR");
}

function showWallet(element, { name, expected, balance }) {
  const [should, has] = [fromJson(expected), fromJson(balance)];
  fill(element, {
    name,
    expected: rupees(should),
    balance: rupees(has),
    difference: signed(has - should),
  });
}

function signed(minor) {
  return (minor > 0n ? "+" : "") + rupees(minor);
}

/** Show two updates that began from one balance, each in its lane. */
function showLanes({ name, read, lost, kept }) {
  const balance = rupees(fromJson(read));
  fill(byId("lanes"), {
    one: titleOf("A", lost),
    two: titleOf("B", kept),
    "one-reads": `reads ${name}’s balance: ${balance}`,
    "two-reads": `reads ${name}’s balance: ${balance}`,
    "one-writes": `writes ${rupees(fromJson(lost.balanceAfter))}`,
    "two-writes": `writes ${rupees(fromJson(kept.balanceAfter))}, over it`,
  });
  const change = fromJson(lost.change);
  const both = fromJson(kept.balanceAfter) + change;
  const words = change > 0n
    ? `${rupees(change)} left ${lost.withName}’s wallet and never arrived.`
    : `${rupees(-change)} arrived at ${lost.withName}’s wallet and never left this one.`;
  fill(byId("lanes"), {
    end: `Both read ${balance} before either wrote. After both there should be ${rupees(both)}, ` +
      `and the next transfer begins from ${rupees(fromJson(kept.balanceAfter))}: ${words}`,
  });
}

function titleOf(letter, { change, withName }) {
  const minor = fromJson(change);
  const side = minor > 0n ? "from" : "to";
  return `Transfer ${letter}: ${rupees(minor > 0n ? minor : -minor)} ${side} ${withName}`;
}
