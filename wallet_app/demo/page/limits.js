// The limits of the chosen wallet, and what of them is used.

import { read, send } from "./api.js";
import { decimalText, fromJson, thousandths, toJson } from "./amounts.js";
import { book } from "./book.js";
import { byId } from "./dom.js";
import { amountOf, onSubmit } from "./forms.js";

const NAMES = ["perTransaction", "approvalThreshold", "daily", "monthly"];

let shown = { walletId: null, updatedAt: null };

export function startLimits() {
  onSubmit(byId("limits-form"), setLimits);
  book.onChange(showWhenChanged);
}

async function setLimits(form, outcome) {
  const { walletId, currency } = book.chosen;
  const body = {};
  for (const name of NAMES) {
    const isSet = form.elements[name].value.trim() !== "";
    body[name] = isSet ? toJson(amountOf(form, name, currency)) : null;
  }
  const limits = await send("PUT", `/wallet/${walletId}/limits`, body);
  showFields(form, limits);
  showUsage(limits);
  outcome.succeed("Limits saved.");
}

/** Read the limits again for another wallet, or after this one has moved money. */
async function showWhenChanged() {
  const wallet = book.chosen;
  if (!wallet) return;
  const isOther = wallet.walletId !== shown.walletId;
  if (!isOther && wallet.updatedAt === shown.updatedAt) return;
  shown = wallet;
  const limits = await read(`/wallet/${wallet.walletId}/limits`).catch(() => null);
  if (limits === null || shown !== wallet) return; // or another was chosen meanwhile
  if (isOther) showFields(byId("limits-form"), limits);
  showUsage(limits);
}

function showFields(form, limits) {
  const digits = book.minorDigits[limits.currency];
  for (const name of NAMES) {
    const limit = limits[name];
    form.elements[name].value = limit === null ? "" : decimalText(fromJson(limit), digits, limits.currency);
  }
}

function showUsage(limits) {
  const { currency } = limits;
  showUsed("day", currency, limits.spentToday, limits.daily, limits.remainingToday);
  showUsed("month", currency, limits.spentThisMonth, limits.monthly, limits.remainingThisMonth);
}

function showUsed(period, currency, spent, limit, remaining) {
  const money = (integer) => book.money(fromJson(integer), currency);
  const meter = byId(`usage-${period}`);
  const isLimited = limit !== null;
  meter.hidden = !isLimited;
  if (isLimited) meter.value = thousandths(fromJson(spent), 0n, fromJson(limit)) / 10;
  const rest = isLimited ? ` of ${money(limit)}, ${money(remaining)} left` : ", no limit";
  byId(`usage-${period}-words`).textContent = money(spent) + rest;
}
