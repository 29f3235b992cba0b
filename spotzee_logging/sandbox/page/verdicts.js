// What became of an event, by the answer to the request that carried it.

export const VERDICTS = {
  accepted: { sign: "✓", word: "accepted", meaning: "The API took it." },
  replayed: { sign: "↺", word: "replayed", meaning: "Sent again under the same key: the first answer was repeated, nothing was doubled." },
  refused: { sign: "✕", word: "refused", meaning: "It breaks a rule of the API, and will not be taken as it is." },
  held: { sign: "↩", word: "held back", meaning: "Nothing is wrong with it: its request was refused for another reason." },
  retry: { sign: "⟳", word: "try again", meaning: "A trouble that passes: the sender is to send the same request again." },
  unanswered: { sign: "∅", word: "no answer", meaning: "The connection ended first: the sender cannot know, and sends the same again." },
  waiting: { sign: "…", word: "waiting", meaning: "The answer is not sent yet." },
};

const PASSING = new Set([408, 425, 429]);
const ABOUT_THE_SENDER = new Set([401, 402, 403, 404, 405, 409, 410]);
const SETTINGS = new Set(["version_unsupported", "version_required", "idempotency_key_invalid"]);
const PARAM = /^\[?(\d{1,9})\]?\.?(.*)$/s;

// The errors of an answer that name items: by item, each with the field inside it.
export function errorsByItem(answer) {
  const errors = new Map();
  for (const error of Array.isArray(answer?.errors) ? answer.errors : []) {
    const match = PARAM.exec(String(error?.param ?? ""));
    if (!match) continue;
    const item = Number(match[1]);
    if (!errors.has(item)) errors.set(item, []);
    errors.get(item).push({ field: match[2], code: String(error.code ?? ""), message: String(error.message ?? "") });
  }
  return errors;
}

export function verdictOf(record, errors, item) {
  if (record.ended_at === null) return "waiting";
  if (record.status === null) return record.committed ? "accepted" : "unanswered";
  if (errors.has(item)) return "refused";
  if (record.status < 300) return record.replayed ? "replayed" : "accepted";
  if (record.status >= 500 || PASSING.has(record.status) || record.code === "idempotency_in_progress") return "retry";
  const blameless = errors.size > 0 || ABOUT_THE_SENDER.has(record.status) || SETTINGS.has(record.code);
  return blameless || record.status < 400 ? "held" : "refused";
}

// Where it ended: each event ends once, however often it is sent. Null while it has not.
export function outcomeOf(record, errors, item, verdict) {
  if (verdict === "refused") return "refused";
  return record.committed && !errors.has(item) ? "accepted" : null;
}
