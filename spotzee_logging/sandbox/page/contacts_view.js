// The contacts tab.

import { atMostEvery, byId, element } from "./dom.js";
import { brief, count, plural } from "./text.js";

const MAX_SHOWN = 300;
const MAX_LINKS = 10;

export class ContactsView {
  #contacts;
  #choose;
  #panel = byId("contacts");
  #pattern = "";
  #body = element("div");

  constructor(contacts, choose) {
    this.#contacts = contacts;
    this.#choose = choose;
    this.draw = atMostEvery(1000, () => !this.#panel.hidden && this.#draw());
    const search = element("input", { type: "search", placeholder: "any id", autocomplete: "off", spellcheck: "false" });
    search.addEventListener("input", () => {
      this.#pattern = search.value.toLowerCase();
      this.#draw();
    });
    const lead = "An event with both ids links them, for good. Only events that were accepted count here.";
    this.#panel.append(element("p", { class: "lead" }, lead), element("p", { class: "toolbar" }, element("label", {}, "Find ", search)), this.#body);
  }

  #draw() {
    const { known, unknown } = this.#contacts.listed(this.#pattern);
    this.#body.replaceChildren(
      ...this.#contacts.conflicts.slice(0, MAX_LINKS).map(conflict),
      this.#section("External", known, "Linked from"),
      this.#section("Anonymous only", unknown, "Linked to"),
      ...(this.#contacts.leftOut ? [element("p", { class: "warning" }, "⚠ There are more contacts than are kept here.")] : []),
    );
  }

  #section(title, contacts, linkTitle) {
    const shown = contacts.slice(0, MAX_SHOWN);
    const columns = ["Contact", "Events", linkTitle];
    const head = columns.map((column) => element("th", { scope: "col", class: column === "Events" ? "number" : null }, column));
    const rows = shown.map(([id, contact]) => this.#row(id, contact));
    const table = element("table", { class: "people" }, element("thead", {}, element("tr", {}, head)), element("tbody", {}, rows));
    const rest = contacts.length - shown.length;
    return element(
      "section",
      {},
      element("h2", {}, `${title} `, element("span", { class: "badge" }, count(contacts.length))),
      contacts.length ? element("div", { class: "sideways" }, table) : element("p", { class: "hint" }, "None yet."),
      rest > 0 ? element("p", { class: "hint" }, `${plural(rest, "more contact")}: type above to find one.`) : null,
    );
  }

  #row(id, { count: events, linked }) {
    const links = [...linked];
    const shown = links.slice(0, MAX_LINKS).map((each) => element("code", {}, brief(each, 80)));
    const rest = links.length - shown.length;
    return element(
      "tr",
      {},
      element("th", { scope: "row" }, element("button", { type: "button", class: "link", click: () => this.#choose(id) }, brief(id, 80))),
      element("td", { class: "number" }, count(events)),
      element("td", {}, shown.length ? shown : "–", rest > 0 ? ` and ${count(rest)} more` : null),
    );
  }
}

function conflict([id, { linked }]) {
  const ids = [...linked].slice(0, MAX_LINKS).map((each) => brief(each, 60));
  const text = `${brief(id, 80)} is linked to ${count(linked.size)} external ids (${ids.join(", ")}): one anonymous id should stand for one person, and a link is permanent.`;
  return element("p", { class: "warning" }, `⚠ ${text}`);
}
