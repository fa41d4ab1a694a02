// What the page follows of the server: one request asks again and again for the parts
// that have changed, however many people and wallets there are.

import { read } from "./api.js";
import { poll } from "./poll.js";

const MILLISECONDS = 1500;
const BUSY_MILLISECONDS = 250; // while something is under way that people watch

const parts = {};
const listeners = {};
let since = "";
let after = 0;

/** Have a function called with a part, in each round: what it shows may depend on time. */
export function follow(name, listener) {
  listeners[name] = listener;
}

/**
 * Begin to follow the state; return a function that reads it at once. `around` is called
 * with what reads it; `walletIdNow` returns the wallet whose payments are followed.
 */
export function startState(around, walletIdNow) {
  return poll(delayNow, () => around(() => look(walletIdNow())));
}

async function look(walletId) {
  const query = new URLSearchParams({ since, after });
  if (walletId) query.set("walletId", walletId);
  const answer = await read(`/demo/state?${query}`, "high");
  since = answer.since;
  after = answer.requests.at(-1)?.version ?? after;
  Object.assign(parts, answer);
  for (const [name, part] of Object.entries(parts)) listeners[name]?.(part);
}

function delayNow() {
  return isBusy() ? BUSY_MILLISECONDS : MILLISECONDS;
}

/** Return whether a storm runs, or a bank is asked. */
function isBusy() {
  const { storm, payments } = parts;
  return isGoing(storm) || payments?.payments.some(({ status }) => status === "PENDING");
}

export function isGoing(storm) {
  return storm?.state === "STARTING" || storm?.state === "RUNNING";
}
