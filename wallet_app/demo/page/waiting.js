// Movements that wait for a code: each form says so until its approval is closed, and no
// longer.

const ENDS = {
  REJECTED: "Rejected after too many wrong codes: nothing has moved.",
  CANCELLED: "Cancelled: nothing has moved.",
  EXPIRED: "The code has expired: nothing has moved.",
};

/** By approval: where it is said that it waits, and what is said when it is confirmed. */
const waiting = new Map();

/** Say that a movement was made, or that it waits for its code. */
export function sayDone(outcome, { approvalId }, done) {
  if (!approvalId) return outcome.succeed(done);
  const words = "This waits for a code, which has just arrived on the phone.";
  outcome.succeed(words, { href: "#phone", words: "Go to the phone" });
  waiting.set(approvalId, { outcome, shown: outcome.shown, done });
}

/** Say what became of a movement, where it is still said that it waits. */
export function settle({ approvalId, status }) {
  const each = waiting.get(approvalId);
  if (!each || status === "PENDING") return;
  waiting.delete(approvalId);
  const { outcome, shown, done } = each;
  if (outcome.shown !== shown) return;
  if (status === "CONFIRMED") outcome.succeed(done);
  else outcome.refuse(ENDS[status]);
}
