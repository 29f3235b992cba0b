// What stands in the place of an empty list: the next step.

import { byId, element } from "./dom.js";

const program = (base) => `import logging
from spotzee_logging import SpotzeeHandler

logging.basicConfig(level="INFO", handlers=[SpotzeeHandler("sk_anything", base_url="${base}")])
logging.info("hello", extra={"spotzee_event": "said_hello", "external_id": "cust_001"})`;

export class Welcome {
  #box = byId("empty");
  #kind = null;
  #clearFilters;

  constructor(clearFilters) {
    this.#clearFilters = clearFilters;
  }

  // `total` rows are kept, `shown` of them let through by the filters.
  show(total, shown) {
    const kind = shown ? "none" : total ? "filtered" : "welcome";
    if (kind === this.#kind) return;
    this.#kind = kind;
    this.#box.hidden = kind === "none";
    this.#box.replaceChildren(...(kind === "welcome" ? welcome() : []), ...(kind === "filtered" ? this.#filtered() : []));
  }

  #filtered() {
    const button = element("button", { type: "button", click: this.#clearFilters }, "Show all events");
    return [element("h2", {}, "No event matches"), element("p", {}, "None that is kept passes the filters."), element("p", {}, button)];
  }
}

function welcome() {
  const base = `${location.origin}/api/client`;
  return [
    element("h2", {}, "Waiting for the first event"),
    element("p", {}, "Run this, and it appears here; nothing leaves this machine:"),
    element("pre", { id: "program" }, program(base)),
    element("p", {}, "Or let the program that you have send here:"),
    element("pre", {}, `SPOTZEE_BASE_URL=${base}\nSPOTZEE_API_KEY=sk_anything`),
  ];
}
