// The people and their wallets, with live balances; adding people, opening wallets.

import { send } from "./api.js";
import { book } from "./book.js";
import { byId, fill, fromTemplate, keep, slot } from "./dom.js";
import { onSubmit, requiredTextOf, textOf } from "./forms.js";
import { setOptions } from "./selects.js";

const USUAL = ["INR", "USD", "EUR", "JPY", "GBP", "BHD"];

export function startWallets(refresh) {
  book.onChange(showPeople);
  book.addEventListener("change", showCurrencies, { once: true });
  onSubmit(byId("person-form"), (form, outcome) => addPerson(form, outcome, refresh));
  onSubmit(byId("wallet-form"), (form, outcome) => openWallet(form, outcome, refresh));
}

function showPeople() {
  keep(byId("people"), book.people, {
    key: (person) => person.userId,
    create: createPerson,
    update: showPerson,
  });
  const names = book.people.map((person) => [person.userId, person.name]);
  setOptions(byId("wallet-user"), names);
}

function createPerson(person) {
  const element = fromTemplate("person-template");
  slot(element, "open").addEventListener("click", () => offerWallet(person.userId));
  return element;
}

function showPerson(element, person) {
  const wallets = [...book.wallets.values()].filter(({ userId }) => userId === person.userId);
  fill(element, { name: person.name, open: wallets.length ? "" : "Create wallet" });
  keep(element.querySelector("ul"), wallets, {
    key: (wallet) => wallet.walletId,
    create: createWallet,
    update: showWallet,
  });
}

function createWallet(wallet) {
  const element = fromTemplate("wallet-template");
  element.dataset.walletId = wallet.walletId;
  element.querySelector("button").addEventListener("click", () => book.choose(wallet.walletId));
  const balance = slot(element, "balance");
  balance.addEventListener("animationend", () => balance.classList.remove("changed"));
  return element;
}

function showWallet(element, wallet) {
  const balance = slot(element, "balance");
  const before = balance.textContent;
  const isFrozen = wallet.status === "FROZEN";
  fill(element, {
    owner: wallet.owner,
    currency: wallet.currency,
    state: isFrozen ? `Frozen: ${wallet.frozenReason}` : "",
    balance: book.money(wallet.balance, wallet.currency),
  });
  element.classList.toggle("frozen", isFrozen);
  const isChosen = wallet.walletId === book.chosenId;
  element.querySelector("button").setAttribute("aria-pressed", String(isChosen));
  if (before !== "" && before !== balance.textContent) balance.classList.add("changed");
}

async function addPerson(form, outcome, refresh) {
  const person = await send("POST", "/demo/people", { name: requiredTextOf(form, "name") });
  form.reset();
  await refresh();
  outcome.succeed(`${person.name} is here. Now create a wallet for them.`);
  offerWallet(person.userId);
}

function offerWallet(userId) {
  byId("wallet-details").open = true;
  byId("wallet-user").value = userId;
  byId("wallet-currency").focus();
}

async function openWallet(form, outcome, refresh) {
  const body = { userId: textOf(form, "userId"), currency: textOf(form, "currency") };
  const wallet = await send("POST", "/wallet/create", body);
  await refresh();
  book.choose(wallet.walletId);
  outcome.succeed(`Created: ${book.nameOf(wallet.walletId)}.`);
}

function showCurrencies() {
  const names = new Intl.DisplayNames("en", { type: "currency" });
  const codes = Object.keys(book.minorDigits);
  const others = codes.filter((code) => !USUAL.includes(code));
  const options = [...USUAL, ...others].map((code) => [code, `${code}  ${names.of(code)}`]);
  setOptions(byId("wallet-currency"), options);
}
