// JSON as the text that was sent: cut into lines without a number rounded or an escape rewritten.

const WORD = /[^\s,:[\]{}"]+/y;

// An index loop, since a pattern that steps over two million characters may exhaust its stack.
function endOfString(text, start) {
  let position = start + 1;
  while (text[position] !== '"') position += text[position] === "\\" ? 2 : 1;
  return position + 1;
}

function* tokens(text) {
  let position = 0;
  while (position < text.length) {
    const character = text[position];
    let end = position + 1;
    if (character === '"') end = endOfString(text, position);
    else if (!/[\s,:[\]{}]/.test(character)) {
      WORD.lastIndex = position;
      end = position + WORD.exec(text)[0].length;
    }
    if (!/\s/.test(character)) yield text.slice(position, end);
    position = end;
  }
}

export const oneLine = (text) => (/[\n\r]/.test(text) ? [...tokens(text)].join("") : text);

const KINDS = { '"': "string", t: "boolean", f: "boolean", n: "null" };

// Lines of { depth, key, value, kind, path, opens, closes, comma }; a path is as the API's errors have it.
export function jsonLines(text) {
  const lines = [];
  const open = [];
  let key = null;
  const pathOf = () => {
    const parent = open.at(-1);
    if (!parent) return "";
    const step = parent.isArray ? String(parent.items++) : JSON.parse(key);
    return parent.path ? `${parent.path}.${step}` : step;
  };
  for (const token of tokens(text)) {
    const parent = open.at(-1);
    if (token === ":") continue;
    if (token === ",") {
      lines.at(-1).comma = true;
      if (!parent.isArray) parent.awaitsKey = true;
    } else if (token === "}" || token === "]") {
      open.pop();
      lines.push({ depth: open.length, key: null, value: token, kind: "bracket", path: parent.path, closes: true });
    } else if (parent?.awaitsKey) {
      key = token;
      parent.awaitsKey = false;
    } else {
      const opens = token === "{" || token === "[";
      const kind = opens ? "bracket" : (KINDS[token[0]] ?? "number");
      const line = { depth: open.length, key: parent && !parent.isArray ? key : null, value: token, kind, opens };
      line.path = pathOf();
      lines.push(line);
      if (opens) open.push({ path: line.path, isArray: token === "[", items: 0, awaitsKey: token === "{" });
    }
  }
  return lines;
}
