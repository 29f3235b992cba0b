// One event: what was sent, with each error at its field, and what it was answered.

import { byId, element } from "./dom.js";
import { jsonView } from "./json_view.js";
import { nameOf, verdictText } from "./event_list.js";
import { byteLength, count, duration, size, visible } from "./text.js";
import { VERDICTS } from "./verdicts.js";

const MAX_ATTEMPTS = 20; // that are shown, the latest

export class Detail {
  #panel = byId("detail");
  #store;
  #close;
  #select;
  #row = null;

  constructor(store, { close, select }) {
    this.#store = store;
    this.#close = close;
    this.#select = select;
    store.listen(this);
  }

  get isOpen() {
    return this.#row !== null;
  }

  show(row) {
    this.#row = row;
    this.#panel.hidden = false;
    byId("split").classList.add("open");
    this.#panel.replaceChildren(...this.#content(row));
    this.#panel.scrollTop = 0;
  }

  hide() {
    this.#row = null;
    this.#panel.hidden = true;
    byId("split").classList.remove("open");
    this.#panel.replaceChildren();
  }

  reset() {
    this.hide();
  }

  rowChanged(row) {
    if (row === this.#row) this.show(row);
  }

  #content(row) {
    const { record, errors } = row.request;
    const { meaning } = VERDICTS[row.verdict];
    const own = errors.get(row.item) ?? [];
    return [
      element(
        "header",
        {},
        element("h2", {}, nameOf(row)),
        element("button", { type: "button", class: "close", "aria-label": "Close", click: () => this.#close() }, "✕"),
      ),
      element("p", { class: "verdict", "data-verdict": row.verdict }, verdictText(row)),
      element("p", { class: "hint" }, sentence(record, meaning)),
      element("h3", {}, row.isEvent ? "Event" : "Body", copyButton(row.text)),
      row.isEvent ? jsonView(row.text, own) : rawView(record),
      element("h3", {}, "Request"),
      facts(this.#facts(row)),
      ...(record.answer ? [element("h3", {}, "Answer"), jsonView(JSON.stringify(record.answer), [])] : []),
      element("h3", {}, "Headers"),
      facts(Object.entries(record.headers).map(([name, value]) => [visible(name), visible(value)])),
    ];
  }

  #facts(row) {
    const { record } = row.request;
    return [
      ["Received", record.received_at],
      ["Answered", answered(record)],
      ["Place", row.isEvent ? `item ${row.item} of ${count(row.request.rows.length)} (from 0)` : "the whole request"],
      ["Request id", record.request_id],
      ["Idempotency-Key", record.idempotency_key === null ? "none" : visible(record.idempotency_key)],
      ["Attempts", this.#attempts(row)],
      ["Connection", String(record.connection)],
      ...(record.fault ? [["Scripted", JSON.stringify(record.fault)]] : []),
    ];
  }

  // The same event in the other requests under its key, each a step away.
  #attempts(row) {
    const attempts = this.#store.attempts(row.request).slice(-MAX_ATTEMPTS);
    return attempts.flatMap((request) => {
      const label = `${request.attempt}: ${request.record.status ?? "no answer"}`;
      const target = request.rows[row.item];
      if (request === row.request || !target) return [element("span", { class: "step current" }, label)];
      return [element("button", { type: "button", class: "step", click: () => this.#select(target) }, label)];
    });
  }
}

function sentence(record, meaning) {
  const message = record.answer?.message;
  return typeof message === "string" ? `${meaning} The answer says: ${visible(message)}.` : meaning;
}

function answered(record) {
  if (record.ended_at === null) return "not yet";
  const after = `after ${duration(record.received_at, record.ended_at)}`;
  if (record.status === null) return `never; the connection ended ${after}`;
  return `${record.status}${record.code ? ` ${record.code}` : ""}, ${after}`;
}

function rawView(record) {
  if (record.body === null) return element("p", { class: "hint" }, "The body was too large to be kept.");
  if (record.body === "") return element("p", { class: "hint" }, "There was no body.");
  return element("pre", { class: "raw" }, visible(record.body.slice(0, 20_000)));
}

function facts(pairs) {
  return element("dl", {}, pairs.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
}

function copyButton(text) {
  const button = element("button", { type: "button", class: "copy" }, `Copy ${size(byteLength(text))}`);
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  });
  return button;
}
