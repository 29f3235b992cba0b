// The events as rows, made of the requests that carried them; bounded, the oldest fall off.

import { byteLength } from "./text.js";
import { RowList } from "./row_list.js";
import { errorsByItem, outcomeOf, verdictOf } from "./verdicts.js";

export const MAX_ROWS = 100_000;
const MAX_CHARACTERS = 128 * 1024 * 1024; // of JSON; a tab that holds more is slow, or killed
const MAX_REQUESTS_LISTED = 100;

export class Store {
  rows = new RowList();
  dropped = 0; // by this page's bounds
  forgotten = 0; // by the sandbox's
  #requests = new Map();
  #attempts = new Map();
  #listeners = [];
  #seq = 0;
  #characters = 0;

  // A listener has any of rowsAdded(rows), rowChanged(row), outcome(row), reset(), settled().
  listen(listener) {
    this.#listeners.push(listener);
  }

  #tell(what, ...values) {
    for (const listener of this.#listeners) listener[what]?.(...values);
  }

  reset() {
    this.rows = new RowList();
    this.#requests.clear();
    this.#attempts.clear();
    this.dropped = this.forgotten = this.#characters = 0;
    this.#tell("reset");
  }

  take(records) {
    const added = [];
    for (const record of records) {
      const known = this.#requests.get(record.number);
      if (known) this.#amend(known, record);
      else added.push(...this.#receive(record));
    }
    this.#dropOldest();
    if (added.length) this.#tell("rowsAdded", added);
    this.#tell("settled");
  }

  latestRequests() {
    return [...this.#requests.values()].slice(-MAX_REQUESTS_LISTED).reverse();
  }

  // All the requests under one idempotency key, the first attempt first.
  attempts(request) {
    return this.#attempts.get(request.record.idempotency_key) ?? [request];
  }

  #receive(record) {
    const request = { record, errors: errorsByItem(record.answer), rows: [] };
    const texts = record.items?.length ? record.items : [null];
    request.rows = texts.map((text, item) => this.#row(request, text, item));
    delete record.items;
    this.#requests.set(record.number, request);
    this.#noteAttempt(request);
    for (const row of request.rows) this.#judge(row);
    return request.rows;
  }

  #noteAttempt(request) {
    const key = request.record.idempotency_key;
    const attempts = (key === null ? null : this.#attempts.get(key)) ?? [];
    request.attempt = (attempts.at(-1)?.attempt ?? 0) + 1;
    attempts.push(request);
    if (key !== null) this.#attempts.set(key, attempts);
  }

  #row(request, text, item) {
    const row = { seq: this.#seq++, request, item, text: text ?? request.record.body ?? "", isEvent: text !== null };
    const event = row.isEvent ? JSON.parse(text) : null;
    const told = event !== null && typeof event === "object" ? event : {};
    row.name = typeof told.name === "string" ? told.name : null;
    row.external = typeof told.external_id === "string" ? told.external_id : null;
    row.anonymous = typeof told.anonymous_id === "string" ? told.anonymous_id : null;
    // An encoder may have escaped what people search for as they read it.
    row.search = row.isEvent && text.includes("\\u") ? JSON.stringify(event) : null;
    row.size = byteLength(row.text);
    row.outcome = null;
    this.rows.push(row);
    this.#characters += row.text.length;
    return row;
  }

  #amend(request, record) {
    delete record.items;
    delete record.body;
    Object.assign(request.record, record);
    request.errors = errorsByItem(record.answer);
    for (const row of request.rows) {
      if (this.#judge(row)) this.#tell("rowChanged", row);
    }
  }

  #judge(row) {
    const { record, errors } = row.request;
    const before = row.verdict;
    row.verdict = verdictOf(record, errors, row.item);
    if (row.outcome === null) {
      row.outcome = outcomeOf(record, errors, row.item, row.verdict);
      if (row.outcome !== null) this.#tell("outcome", row);
    }
    return before !== row.verdict;
  }

  #dropOldest() {
    while (this.rows.length > MAX_ROWS || (this.#characters > MAX_CHARACTERS && this.rows.length > 1)) {
      const row = this.rows.shift();
      this.#characters -= row.text.length;
      this.dropped += 1;
      if (row === row.request.rows.at(-1)) this.#forget(row.request);
    }
  }

  #forget(request) {
    const key = request.record.idempotency_key;
    const attempts = this.#attempts.get(key);
    // The oldest request falls off first, so it is the first of its key.
    attempts?.shift();
    if (!attempts?.length) this.#attempts.delete(key);
    this.#requests.delete(request.record.number);
  }
}
