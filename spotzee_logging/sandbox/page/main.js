// Puts the page together.

import { Catalogue } from "./catalogue.js";
import { CatalogueView } from "./catalogue_view.js";
import { Contacts } from "./contacts.js";
import { ContactsView } from "./contacts_view.js";
import { CountCards } from "./count_cards.js";
import { Counts } from "./counts.js";
import { Detail } from "./detail.js";
import { atMostEvery, byId, element } from "./dom.js";
import { EventList } from "./event_list.js";
import { download, exported } from "./export.js";
import { Faults } from "./faults.js";
import { follow } from "./feed.js";
import { Filters, matcher } from "./filters.js";
import { listenToKeys } from "./keyboard.js";
import { MAX_ROWS, Store } from "./store.js";
import { Tabs } from "./tabs.js";
import { brief, count, plural } from "./text.js";
import { View } from "./view.js";
import { Welcome } from "./welcome.js";

const store = new Store();
const counts = new Counts();
const catalogue = new Catalogue();
const contacts = new Contacts();
for (const model of [counts, catalogue, contacts]) store.listen(model);

const view = new View(store, changed);
const filters = new Filters(byId("filters"), (values) => view.filter(matcher(values)));
const list = new EventList(view, openRow);
const welcome = new Welcome(() => filters.clear());
const detail = new Detail(store, { close, select: goTo });
const cards = new CountCards(counts, (name) => filters.set({ name }));
const catalogueView = new CatalogueView(catalogue, (name) => showEvents({ name }));
const contactsView = new ContactsView(contacts, (contact) => showEvents({ contact }));
const faults = new Faults(store);
const offerNames = atMostEvery(1000, () => {
  const names = [...counts.names.keys()].slice(0, 100);
  byId("names").replaceChildren(...names.map((name) => element("option", { value: brief(name, 100) })));
});
const tabs = new Tabs(redraw);

store.listen({ settled: redraw, reset: redraw });
follow(store, (script) => faults.show(script));
byId("pause").addEventListener("click", togglePause);
byId("export").addEventListener("click", exportShown);
byId("clear").addEventListener("click", () => fetch("/sandbox/events", { method: "DELETE" }));
listenToKeys({ isOnEvents: () => tabs.current === "events", list, filters, open: openSelected, close, pause: togglePause });

// The list has changed; so many rows were added at its top.
function changed(added) {
  list.keepPlace(added);
  sayHowMany();
}

function redraw() {
  sayHowMany();
  cards.draw();
  catalogueView.draw();
  contactsView.draw();
  faults.drawRequests();
  offerNames();
  list.draw();
}

function sayHowMany() {
  const total = store.rows.length;
  const shown = view.rows.length;
  byId("badge-events").textContent = count(total);
  const rest = view.held ? ` · paused, ${count(view.held)} new` : view.isPaused ? " · paused" : "";
  byId("shown").textContent = (filters.areSet ? `${count(shown)} of ${plural(total, "event")}` : plural(total, "event")) + rest;
  welcome.show(total, shown);
  const dropped = store.dropped + store.forgotten;
  if (dropped) say(fallen());
  else if (byId("notice").dataset.kind === "fallen") say("");
}

function fallen() {
  const parts = [];
  if (store.dropped) parts.push(`${plural(store.dropped, "older event has", "older events have")} fallen off: the page keeps the latest ${count(MAX_ROWS)}, or 128 MB.`);
  if (store.forgotten) parts.push(`The sandbox itself has let go of ${plural(store.forgotten, "older request")}.`);
  return parts.join(" ");
}

function say(text, kind = "fallen") {
  const notice = byId("notice");
  notice.hidden = text === "";
  notice.dataset.kind = kind;
  if (notice.textContent !== text) notice.textContent = text;
}

function togglePause() {
  if (view.isPaused) view.resume();
  else view.pause();
  byId("pause").setAttribute("aria-pressed", view.isPaused);
  byId("pause").textContent = view.isPaused ? "Go on" : "Pause";
  sayHowMany();
}

function exportShown() {
  const { verdict } = filters.values;
  const lines = exported(view.rows, verdict);
  const what = verdict ? "event" : "accepted event";
  say(lines.length ? `${plural(lines.length, what)} exported.` : `There is no ${what} to export here.`, "export");
  if (lines.length) download(lines, "events.jsonl");
}

function openRow(row) {
  detail.show(row);
  list.draw();
}

function openSelected() {
  if (list.selected) openRow(list.selected);
}

function close() {
  detail.hide();
  list.focus();
}

async function goTo(row) {
  if (!view.rows.has(row)) await filters.clear();
  list.select(row);
  openRow(row);
}

function showEvents(values) {
  tabs.open("events");
  filters.set({ text: "", name: "", contact: "", verdict: "", ...values });
  list.focus();
}
