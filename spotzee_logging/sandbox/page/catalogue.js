// Every event name seen, with its fields and their JSON types, and what will break automations built on them.

const MAX_NAMES = 1000;
const MAX_FIELDS = 200; // of a name
const MAX_DEPTH = 5;
const MAX_ITEMS = 20; // of an array that are looked into

// Each takes time in proportion to the text: one that begins with a repetition tries it anew at every character, and
// a hostile name of half a megabyte would stop the page for minutes.
const PERSONAL = [
  ["an email address", /[^\s@]@[^\s@]+\.[a-z]{2,}/i],
  ["an IP address", /(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])/],
  ["a unique id", /[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}/i],
  ["a phone number, or another long number", /\d(?:[\s().-]?\d){6,}/],
  ["an id of somebody or something", /(?:cust|customer|user|usr|order|ord|account|acct|contact|session)[_:-]?\d{2,}/i],
];

export class Catalogue {
  names = new Map(); // name → { count, fields: Map of path → { count, types: Map of type → count, … }, … }
  namesLeftOut = false;
  #foldedNames = new Map();

  reset() {
    this.names.clear();
    this.#foldedNames.clear();
    this.namesLeftOut = false;
  }

  outcome(row) {
    if (row.name === null) return;
    let entry = this.names.get(row.name);
    if (!entry) {
      if (this.names.size >= MAX_NAMES) {
        this.namesLeftOut = true;
        return;
      }
      entry = { count: 0, fields: new Map(), foldedFields: new Map(), fieldsLeftOut: false, personal: personal(row.name) };
      this.names.set(row.name, entry);
      gather(this.#foldedNames, row.name);
    }
    entry.count += 1;
    for (const [path, types] of fieldsOf(JSON.parse(row.text))) note(entry, path, types);
  }

  // What is wrong with a name itself.
  nameWarnings(name) {
    const alike = others(this.#foldedNames, name);
    return [
      ...this.names.get(name).personal,
      ...alike.map((each) => `differs from ${each} only in case or separator: they are two events to the API`),
    ];
  }

  fieldWarnings(entry, path) {
    const { types, personal: ownWarnings } = entry.fields.get(path);
    const kinds = [...types.keys()].filter((type) => type !== "null");
    const alike = others(entry.foldedFields, path);
    return [
      ...(kinds.length > 1 ? [`changes its type: ${kinds.join(", ")}`] : []),
      ...alike.map((each) => `differs from ${each} only in case or separator`),
      ...ownWarnings,
    ];
  }

  get warningCount() {
    let total = 0;
    for (const [name, entry] of this.names) {
      total += this.nameWarnings(name).length;
      for (const path of entry.fields.keys()) total += this.fieldWarnings(entry, path).length;
    }
    return total;
  }
}

const folded = (name) => name.toLowerCase().replace(/[\s_:/-]+/g, "");

function gather(groups, name) {
  const key = folded(name);
  if (!groups.has(key)) groups.set(key, new Set());
  groups.get(key).add(name);
}

const others = (groups, name) => [...groups.get(folded(name))].filter((each) => each !== name);

function personal(name) {
  const found = PERSONAL.find(([, pattern]) => pattern.test(name));
  return found ? [`holds what looks like ${found[0]}: names are no place for data, least of all personal`] : [];
}

function note(entry, path, types) {
  let field = entry.fields.get(path);
  if (!field) {
    if (entry.fields.size >= MAX_FIELDS) {
      entry.fieldsLeftOut = true;
      return;
    }
    field = { count: 0, types: new Map(), personal: personal(path) };
    entry.fields.set(path, field);
    gather(entry.foldedFields, path);
  }
  field.count += 1;
  for (const type of types) field.types.set(type, (field.types.get(type) ?? 0) + 1);
}

function typeOf(value) {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

// The fields of one event: path → the types it has there, which are several only inside arrays.
function fieldsOf(event) {
  const fields = new Map();
  const add = (path, value, depth) => {
    if (!fields.has(path)) fields.set(path, new Set());
    fields.get(path).add(typeOf(value));
    if (depth < MAX_DEPTH) inside(path, value, depth);
  };
  const inside = (path, value, depth) => {
    if (Array.isArray(value)) value.slice(0, MAX_ITEMS).forEach((item) => add(`${path}[]`, item, depth + 1));
    else if (value !== null && typeof value === "object") {
      for (const [key, member] of Object.entries(value)) add(path ? `${path}.${key}` : key, member, depth + 1);
    }
  };
  inside("", event, 0);
  fields.delete("name");
  return fields;
}
