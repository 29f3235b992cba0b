// The faults tab: what the next requests are answered, and how the sender takes it.

import { atMostEvery, byId, element } from "./dom.js";
import { clock, count, duration, plural, visible } from "./text.js";

const problem = (place, field) => ({
  status: "error",
  code: "validation_failed",
  message: "one or more events failed validation; nothing was committed",
  errors: [{ param: `${place}.${field}`, code: "parameter_invalid_format", message: "scripted by the sandbox" }],
});

const KINDS = {
  limited: { label: "429 too many requests", needs: ["seconds"], explanation: "With Retry-After: the sender is to wait that long, then to send the same again.", fault: ({ seconds }) => ({ status: 429, headers: { "Retry-After": Math.ceil(seconds) } }) },
  broken: { label: "500 internal error", needs: [], explanation: "Nothing is committed. The sender is to try again, with growing pauses, under the same key.", fault: () => ({ status: 500 }) },
  invalid: { label: "422 for one item", needs: ["place", "field"], explanation: "Nothing is committed. The sender is to give up the named item and to send the others under a new key.", fault: ({ place, field }) => ({ status: 422, body: problem(place, field) }) },
  hang: { label: "no answer (hang)", needs: [], explanation: "The sender's timeout is what ends it.", fault: () => ({ hang: true }) },
  before: { label: "reset, nothing committed", needs: [], explanation: "The connection is reset before the events are read.", fault: () => ({ reset: "before" }) },
  after: { label: "reset, but committed", needs: [], explanation: "The events are taken, the answer is lost: the retry must not double them.", fault: () => ({ reset: "after" }) },
  slow: { label: "slow", needs: ["seconds"], explanation: "The right answer, late. Your program's calls must not wait for it.", fault: ({ seconds }) => ({ delay: seconds }) },
  key: { label: "401 revoked key", needs: [], explanation: "The sender is to pause and to keep the events until there is another key.", fault: () => ({ status: 401 }) },
  none: { label: "by the rules", needs: [], explanation: "One request without trouble, before the next fault.", fault: () => ({}) },
};

export class Faults {
  #form = byId("fault");
  #store;

  constructor(store) {
    this.#store = store;
    const kinds = Object.entries(KINDS).map(([value, { label }]) => element("option", { value }, label));
    this.#form.elements.kind.append(...kinds);
    this.#form.addEventListener("input", () => this.#explain());
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#add();
    });
    byId("faults-clear").addEventListener("click", () => this.#send("DELETE"));
    this.drawRequests = atMostEvery(300, () => byId("faults").hidden || this.#drawRequests());
    this.#explain();
    this.show([]);
  }

  // What is left of the script, from the sandbox.
  show(script) {
    const left = script.reduce((sum, fault) => sum + (fault.times ?? 1), 0);
    const badge = byId("badge-faults");
    badge.hidden = byId("faults-clear").hidden = left === 0;
    badge.textContent = count(left);
    badge.setAttribute("aria-label", `${plural(left, "fault")} to come`);
    const lines = script.slice(0, 50).map((fault) => element("li", {}, described(fault)));
    const rest = script.length - lines.length;
    if (rest > 0) lines.push(element("li", { class: "hint" }, `and ${count(rest)} more`));
    if (!lines.length) lines.push(element("li", { class: "hint" }, "By the rules: nothing is scripted."));
    byId("script").replaceChildren(...lines);
  }

  #explain() {
    const { needs, explanation } = KINDS[this.#form.elements.kind.value];
    byId("fault-explanation").textContent = explanation;
    for (const label of this.#form.querySelectorAll("[data-for]")) {
      const isNeeded = needs.includes(label.dataset.for);
      label.hidden = !isNeeded;
      label.querySelector("input").disabled = !isNeeded;
    }
  }

  async #add() {
    const { kind, seconds, place, field, times } = this.#form.elements;
    const values = { seconds: Number(seconds.value), place: Number(place.value), field: field.value };
    await this.#send("POST", [{ ...KINDS[kind.value].fault(values), times: Number(times.value) }]);
    times.value = 1;
  }

  async #send(method, script) {
    const told = byId("fault-problem");
    told.hidden = true;
    try {
      const answer = await fetch("/sandbox/faults", { method, body: script && JSON.stringify(script) });
      if (answer.ok) return;
      told.textContent = visible((await answer.json()).message);
    } catch {
      told.textContent = "The sandbox does not answer: does it still run?";
    }
    told.hidden = false;
  }

  #drawRequests() {
    const requests = this.#store.latestRequests();
    const head = ["Time", "Events", "Answer", "After", "Attempt", "Key", "Fault"];
    const numbers = new Set(["Events", "After", "Attempt"]);
    const cells = head.map((title) => element("th", { scope: "col", class: numbers.has(title) ? "number" : null }, title));
    const rows = requests.map((request) => this.#requestRow(request));
    if (!rows.length) rows.push(element("tr", {}, element("td", { colspan: head.length, class: "hint" }, "None yet.")));
    byId("requests").replaceChildren(element("thead", {}, element("tr", {}, cells)), element("tbody", {}, rows));
  }

  #requestRow(request) {
    const { record } = request;
    const after = record.ended_at === null ? "…" : duration(record.received_at, record.ended_at);
    return element(
      "tr",
      { "data-verdict": worst(request.rows) },
      element("td", { class: "time" }, clock(record.received_at)),
      element("td", { class: "number" }, record.events === null ? "–" : count(record.events)),
      element("td", { class: "verdict" }, answerText(record)),
      element("td", { class: "number" }, after),
      element("td", { class: "number" }, count(request.attempt)),
      element("td", {}, element("code", {}, record.idempotency_key === null ? "–" : visible(record.idempotency_key.slice(0, 13)))),
      element("td", {}, record.fault ? described(record.fault) : ""),
    );
  }
}

const worst = (rows) => (rows.find(({ verdict }) => verdict === "refused") ?? rows[0]).verdict;

function answerText(record) {
  if (record.ended_at === null) return "… waiting";
  if (record.status === null) return record.committed ? "∅ none, but committed" : "∅ none";
  const replayed = record.replayed ? ", replayed" : "";
  return `${record.status < 300 ? "✓" : "✕"} ${record.status}${record.code ? ` ${visible(record.code)}` : ""}${replayed}`;
}

function described(fault) {
  const { times, body, headers, ...rest } = fault;
  const parts = Object.entries(rest).map(([name, value]) => (value === true ? name : `${name} ${visible(String(value))}`));
  const wait = headers?.["Retry-After"];
  if (wait !== undefined) parts.push(`Retry-After ${visible(String(wait))}`);
  const named = body?.errors?.[0]?.param;
  if (named !== undefined) parts.push(`for ${visible(String(named))}`);
  const text = parts.length ? parts.join(", ") : "by the rules";
  return times > 1 ? `${text} · ${count(times)} times` : text;
}
