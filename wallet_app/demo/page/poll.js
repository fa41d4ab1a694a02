// Asking again and again: one round at a time, only while the page is seen, and less
// often while the server does not answer.

import { Refusal } from "./api.js";

const DELAY_MAX_MILLISECONDS = 15_000;

/** Run `work` now and then; return a function that runs it at once. */
export function poll(milliseconds, work) {
  let timer;
  let running = null;
  let delay = milliseconds;

  async function round() {
    clearTimeout(timer);
    try {
      await work();
      delay = milliseconds;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      delay = Math.min(delay * 2, DELAY_MAX_MILLISECONDS);
    } finally {
      running = null;
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
