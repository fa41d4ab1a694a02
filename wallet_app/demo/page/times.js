// Moments as people read them, in the time zone of the reader. Pure.

const CLOCK = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

export function clockTime(moment) {
  return CLOCK.format(new Date(moment));
}

export function dayOf(moment) {
  return DAY.format(new Date(moment));
}

export function dayAndTime(moment) {
  return `${dayOf(moment)}, ${clockTime(moment)}`;
}

/** Return how many whole seconds are left until a moment; 0 when it is over. */
export function secondsUntil(moment) {
  return Math.max(0, Math.ceil((new Date(moment) - Date.now()) / 1000));
}

/** Write seconds as 4:05. */
export function minutesText(seconds) {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
