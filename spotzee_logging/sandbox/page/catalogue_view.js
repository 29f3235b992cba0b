// The catalogue tab.

import { atMostEvery, byId, element } from "./dom.js";
import { brief, count, plural, titled } from "./text.js";

const MAX_NAMES_SHOWN = 200;

export class CatalogueView {
  #catalogue;
  #choose;
  #panel = byId("catalogue");
  #closed = new Set(); // names that the reader has folded away

  constructor(catalogue, choose) {
    this.#catalogue = catalogue;
    this.#choose = choose;
    this.draw = atMostEvery(1000, () => this.#draw());
  }

  #draw() {
    const warnings = this.#catalogue.warningCount;
    const badge = byId("badge-catalogue");
    badge.hidden = warnings === 0;
    badge.textContent = `⚠ ${count(warnings)}`;
    badge.setAttribute("aria-label", plural(warnings, "warning"));
    if (!this.#panel.hidden) this.#panel.replaceChildren(...this.#content(warnings));
  }

  #content(warnings) {
    const { names } = this.#catalogue;
    if (!names.size) {
      return [element("p", { class: "lead" }, "No event names yet. Each name that arrives is listed here with its fields: a small, stable catalogue is what segments and automations are built on.")];
    }
    const summary = `${plural(names.size, "event name")}, ${warnings ? plural(warnings, "warning") : "no warnings"}.`;
    const sorted = [...names].sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, MAX_NAMES_SHOWN);
    return [
      element("p", { class: "lead" }, summary, " Events are counted once each, those that were refused among them."),
      ...this.#leftOut(names.size),
      ...sorted.map(([name, entry]) => this.#entry(name, entry)),
    ];
  }

  #leftOut(size) {
    const more = this.#catalogue.namesLeftOut ? "more than " : "";
    if (!more && size <= MAX_NAMES_SHOWN) return [];
    const text = `There are ${more}${count(size)} names; ${count(Math.min(size, MAX_NAMES_SHOWN))} are shown. Names should be few: what differs from event to event belongs into the data.`;
    return [element("p", { class: "warning" }, `⚠ ${text}`)];
  }

  #entry(name, entry) {
    const own = this.#catalogue.nameWarnings(name);
    const details = element(
      "details",
      { class: "entry", open: !this.#closed.has(name) },
      element("summary", {}, element("span", { class: "name" }, titled(name, 200)), element("span", { class: "number" }, plural(entry.count, "event"))),
      own.map((text) => element("p", { class: "warning" }, `⚠ ${brief(text, 400)}`)),
      this.#table(entry),
      entry.fieldsLeftOut ? element("p", { class: "warning" }, "⚠ It has more fields than are listed.") : null,
      element("button", { type: "button", click: () => this.#choose(name) }, "Show its events"),
    );
    details.addEventListener("toggle", () => (details.open ? this.#closed.delete(name) : this.#closed.add(name)));
    return details;
  }

  #table(entry) {
    const head = ["Field", "Type", "Present", "Warnings"].map((title) =>
      element("th", { scope: "col", class: title === "Present" ? "number" : null }, title),
    );
    const rows = [...entry.fields.keys()].map((path) => this.#row(entry, path));
    return element(
      "div",
      { class: "sideways" },
      element("table", { class: "fields" }, element("thead", {}, element("tr", {}, head)), element("tbody", {}, rows)),
    );
  }

  #row(entry, path) {
    const field = entry.fields.get(path);
    const types = [...field.types].sort(([, a], [, b]) => b - a);
    const shown = types.length > 1 ? types.map(([type, times]) => `${type} ${count(times)}×`).join(", ") : types[0][0];
    const warnings = this.#catalogue.fieldWarnings(entry, path);
    const share = Math.floor((100 * field.count) / entry.count);
    return element(
      "tr",
      {},
      element("th", { scope: "row" }, brief(path, 200)),
      element("td", {}, shown),
      element("td", { class: "number" }, share === 0 ? "<1 %" : `${share} %`),
      element("td", {}, warnings.map((text) => element("p", { class: "warning" }, `⚠ ${brief(text, 300)}`))),
    );
  }
}
