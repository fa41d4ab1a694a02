// Money as people write it and as the service counts it: minor units, as BigInt, exact.
// Pure: it knows no page and no server. No amount ever becomes a float.

const MINOR_MAX = 9007199254740991n; // 2^53 - 1: what every JSON client reads exactly

const TEXT_LENGTH_MAX = 40; // the largest amount with its commas is half as long

const SHAPE = /^([0-9,]+)(?:\.([0-9]+))?$/;
const PLAIN = /^[0-9]+$/;
const BY_THREES = /^[0-9]{1,3}(,[0-9]{3})+$/;
const INDIAN = /^[0-9]{1,2}(,[0-9]{2})*,[0-9]{3}$/;

/**
 * Read an amount: digits, grouped by commas (1,250,000 or 12,50,000) or not at all, and
 * one dot before the decimals. Returns {minor} or {error}, a sentence for the field.
 */
export function parseAmount(text, digits) {
  const written = text.trim();
  if (written === "") return { error: "Type an amount." };
  if (written.length > TEXT_LENGTH_MAX) return { error: "That is longer than any amount." };
  const parts = SHAPE.exec(written);
  if (parts === null) {
    return { error: "Write digits, with one dot before the decimals, such as 1,250.50." };
  }
  const [, whole, decimals = ""] = parts;
  if (![PLAIN, BY_THREES, INDIAN].some((grouping) => grouping.test(whole))) {
    return { error: "Commas stand between groups only: 125,000 or 1,25,000." };
  }
  if (decimals.length > digits) return { error: tooManyDecimals(digits) };
  const minor = BigInt(whole.replaceAll(",", "") + decimals.padEnd(digits, "0"));
  if (minor > MINOR_MAX) {
    return { error: `The most there can be is ${decimalText(MINOR_MAX, digits)}.` };
  }
  return { minor };
}

function tooManyDecimals(digits) {
  if (digits === 0) return "This currency has no decimals.";
  return `This currency has ${digits} decimals, and no more.`;
}

/** Write an amount with its currency: ₹1,25,000.50, ¥18,400, −€5.00, BHD 1.250. */
export function formatAmount(minor, currency, digits) {
  const sign = minor < 0n ? "−" : "";
  const [whole, decimals] = splitDecimals(minor, digits);
  return sign + symbolOf(currency) + groupOf(currency)(whole) + decimals;
}

/** Write an amount as a field takes it: in groups, without the sign of a currency. */
export function decimalText(minor, digits, currency) {
  const [whole, decimals] = splitDecimals(minor, digits);
  return groupOf(currency)(whole) + decimals;
}

/** Write a count, which is no money: 1,250. */
export function countText(count) {
  return groupByThrees(String(count));
}

function groupOf(currency) {
  return currency === "INR" ? groupIndian : groupByThrees;
}

function splitDecimals(minor, digits) {
  const all = String(minor < 0n ? -minor : minor).padStart(digits + 1, "0");
  const point = all.length - digits;
  return [all.slice(0, point), digits === 0 ? "" : `.${all.slice(point)}`];
}

function groupByThrees(whole) {
  return whole.replace(/\B(?=([0-9]{3})+$)/g, ",");
}

function groupIndian(whole) {
  const head = whole.slice(0, -3);
  if (head === "") return whole;
  return `${head.replace(/\B(?=([0-9]{2})+$)/g, ",")},${whole.slice(-3)}`;
}

const symbols = new Map();

function symbolOf(currency) {
  if (!symbols.has(currency)) symbols.set(currency, findSymbol(currency));
  return symbols.get(currency);
}

function findSymbol(currency) {
  const style = { style: "currency", currency };
  const parts = new Intl.NumberFormat("en", style).formatToParts(0);
  const symbol = parts.find((part) => part.type === "currency").value;
  return /[A-Za-z]$/.test(symbol) ? `${symbol}\u00a0` : symbol;
}

/** The door in: an integer of an answer. json.js hands over larger ones as digits. */
export function fromJson(integer) {
  if (typeof integer === "string" && /^-?[0-9]+$/.test(integer)) return BigInt(integer);
  if (!Number.isSafeInteger(integer)) throw new RangeError(`not exact: ${integer}`);
  return BigInt(integer);
}

/** The door out: an integer of a request. */
export function toJson(minor) {
  if (minor < 0n || minor > MINOR_MAX) throw new RangeError(`no amount: ${minor}`);
  return Number(minor);
}

/** Return where an amount lies between two others, in thousandths: a place, not money. */
export function thousandths(minor, least, most) {
  if (most <= least) return 0;
  const place = ((minor - least) * 1000n) / (most - least);
  return Number(place < 0n ? 0n : place > 1000n ? 1000n : place);
}
