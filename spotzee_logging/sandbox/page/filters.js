// What the filter form asks for, as a test of one row.

import { element } from "./dom.js";
import { VERDICTS } from "./verdicts.js";

const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

function holding(text) {
  const pattern = new RegExp(escaped(text), "iu");
  return (value) => value !== null && pattern.test(value);
}

export function matcher({ text, name, contact, verdict }) {
  const tests = [];
  if (verdict) tests.push((row) => row.verdict === verdict);
  if (name) {
    const matches = holding(name);
    tests.push((row) => matches(row.name));
  }
  if (contact) {
    const matches = holding(contact);
    tests.push((row) => matches(row.external) || matches(row.anonymous));
  }
  if (text) {
    const matches = holding(text);
    tests.push((row) => matches(row.search ?? row.text));
  }
  return (row) => tests.every((test) => test(row));
}

export class Filters {
  #form;
  #changed;

  constructor(form, changed) {
    this.#form = form;
    this.#changed = changed;
    const verdicts = Object.entries(VERDICTS);
    form.elements.verdict.append(
      element("option", { value: "" }, "any"),
      ...verdicts.map(([value, { sign, word }]) => element("option", { value }, `${sign} ${word}`)),
    );
    form.addEventListener("input", () => changed(this.values));
    form.addEventListener("submit", (event) => event.preventDefault());
  }

  get values() {
    return Object.fromEntries(new FormData(this.#form));
  }

  get areSet() {
    return Object.values(this.values).some((value) => value !== "");
  }

  // A promise of the list that it leads to.
  set(values) {
    for (const [name, value] of Object.entries(values)) this.#form.elements[name].value = value;
    return this.#changed(this.values);
  }

  clear() {
    return this.set({ text: "", name: "", contact: "", verdict: "" });
  }

  focus() {
    this.#form.elements.text.focus();
    this.#form.elements.text.select();
  }
}
