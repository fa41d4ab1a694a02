// Asking again and again: one round at a time, only while the page is seen, and less
// often while the server does not answer.

import { Refusal } from "./api.js";

const DELAY_MAX_MILLISECONDS = 15_000;

/**
 * Run `work` now and then; return a function that runs it at once. `delayNow` returns the
 * milliseconds from one round to the next.
 */
export function poll(delayNow, work) {
  let timer;
  let running = null;
  let failures = 0;

  async function round() {
    clearTimeout(timer);
    try {
      await work();
      failures = 0;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      failures += 1;
    } finally {
      running = null;
      const delay = Math.min(delayNow() * 2 ** failures, DELAY_MAX_MILLISECONDS);
      if (!document.hidden) timer = setTimeout(start, delay);
    }
  }

  function start() {
    running ??= round();
    return running;
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) clearTimeout(timer);
    else start();
  });
  start();
  return async () => {
    await running; // what it has read may be older than this call
    return start();
  };
}
