// JSON for reading, line by line, with errors beside the fields that they name.

import { element } from "./dom.js";
import { jsonLines } from "./json_text.js";
import { count, visible } from "./text.js";

const LINES_AT_ONCE = 1000;
const CHARACTERS_OF_A_VALUE = 400;
const CHARACTERS_AT_ONCE = 20_000;

export function jsonView(text, errors) {
  const lines = withMissingFields(jsonLines(text), errors);
  const box = element("div", { class: "json" });
  const showFrom = (start) => {
    const end = Math.min(lines.length, start + LINES_AT_ONCE);
    box.append(...lines.slice(start, end).map((line) => lineView(line, errors)));
    if (end === lines.length) return;
    const more = element("button", { type: "button", class: "more" }, `${count(lines.length - end)} more lines`);
    more.addEventListener("click", () => {
      more.remove();
      showFrom(end);
    });
    box.append(more);
  };
  showFrom(0);
  return box;
}

// An error may name a field that is not there: it gets a line where the field would stand.
function withMissingFields(lines, errors) {
  const result = [...lines];
  for (const { field } of errors) {
    if (result.some((line) => !line.closes && line.path === field)) continue;
    const parents = result.filter((line) => line.opens && isInside(field, line.path));
    const parent = parents.sort((a, b) => b.path.length - a.path.length)[0];
    if (!parent) continue;
    const end = result.findIndex((line) => line.closes && line.path === parent.path);
    const key = parent.path ? field.slice(parent.path.length + 1) : field;
    result.splice(end, 0, { depth: parent.depth + 1, key: JSON.stringify(key), kind: "missing", value: "missing", path: field });
  }
  return result;
}

const isInside = (field, path) => path === "" || field.startsWith(`${path}.`);

function lineView(line, errors) {
  const own = line.closes ? [] : errors.filter(({ field }) => field === line.path);
  const view = element("div", { class: own.length ? "line bad" : "line" });
  view.style.paddingInlineStart = `${Math.min(line.depth, 24) * 1.1 + 0.6}rem`;
  if (line.key !== null) view.append(element("span", { class: "key" }, cut(line.key)), ": ");
  view.append(valueView(line), line.comma ? "," : "");
  for (const { code, message } of own) {
    view.append(element("span", { class: "error", role: "note" }, `✕ ${visible(message)} `, element("i", {}, visible(code))));
  }
  return view;
}

function valueView(line) {
  const value = element("span", { class: line.kind }, cut(line.value));
  if (line.value.length <= CHARACTERS_OF_A_VALUE) return value;
  let shown = CHARACTERS_OF_A_VALUE;
  const more = element("button", { type: "button", class: "more" }, `more of ${count(line.value.length)} characters`);
  more.addEventListener("click", () => {
    shown += CHARACTERS_AT_ONCE; // a browser takes seconds to lay out a megabyte
    value.textContent = cut(line.value, shown);
    if (shown >= line.value.length) more.remove();
  });
  return element("span", {}, value, " ", more);
}

function cut(text, characters = CHARACTERS_OF_A_VALUE) {
  return visible(text.length > characters ? `${text.slice(0, characters)}…` : text);
}
