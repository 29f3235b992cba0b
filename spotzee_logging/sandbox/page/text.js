// How things are written on the page.

// What would change how the text around it looks, or not be seen at all: controls, direction overrides, blanks
// without a width. Joiners (U+200C, U+200D) are left: emoji and several scripts need them.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

const number = new Intl.NumberFormat("en");
const encoder = new TextEncoder();

export const visible = (text) =>
  text.replace(UNSEEN, (each) => `\u27e8U+${each.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}\u27e9`);

// One line of at most so many characters; the rest is what the detail is for.
export function brief(text, characters = 120) {
  const cut = text.length > characters ? `${text.slice(0, characters)}…` : text;
  return visible(cut.replace(/[\t\n]+/g, " "));
}

// The name of an event, which may be one that cannot be seen.
export const titled = (name, characters) => (name.trim() === "" ? "(empty name)" : brief(name, characters));

export const count = (value) => number.format(value);

export const plural = (value, one, many = `${one}s`) => `${count(value)} ${value === 1 ? one : many}`;

export const byteLength = (text) => encoder.encode(text).length;

export function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 999_500 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

const two = (value) => String(value).padStart(2, "0");

export function clock(iso, withMilliseconds = true) {
  const time = new Date(iso);
  const minutes = `${two(time.getHours())}:${two(time.getMinutes())}`;
  if (!withMilliseconds) return minutes;
  return `${minutes}:${two(time.getSeconds())}.${String(time.getMilliseconds()).padStart(3, "0")}`;
}

export function duration(from, to) {
  const milliseconds = new Date(to) - new Date(from);
  if (milliseconds < 1) return "< 1 ms";
  return milliseconds < 1000 ? `${milliseconds} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}
