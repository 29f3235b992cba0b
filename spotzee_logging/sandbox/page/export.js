// The events as a file of JSON lines, as `spotzee-logging send` takes it.

import { element } from "./dom.js";
import { oneLine } from "./json_text.js";

// Without a verdict chosen, what was accepted: a file that can be sent again without what was refused, and in
// which no event stands once for each of its attempts.
export function exported(rows, verdict) {
  const latest = new Map();
  for (let index = 0; index < rows.length; index += 1) {
    const row = rows.at(index);
    if (!row.isEvent || !(verdict ? row.verdict === verdict : row.outcome === "accepted")) continue;
    const key = row.request.record.idempotency_key;
    latest.set(key === null ? row : `${row.item} ${key}`, row);
  }
  return [...latest.values()].map((row) => `${oneLine(row.text)}\n`);
}

export function download(lines, name) {
  const url = URL.createObjectURL(new Blob(lines, { type: "application/x-ndjson" }));
  const link = element("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
