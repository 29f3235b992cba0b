// How many events of each name ended each minute, and how.

export const MINUTES_SHOWN = 30;
const MAX_NAMES = 500;
const MINUTE = 60_000;

export class Counts {
  names = new Map(); // name → { accepted, refused, minutes: Map of minute → { accepted, refused } }
  othersThanNamed = 0;

  reset() {
    this.names.clear();
    this.othersThanNamed = 0;
  }

  outcome(row) {
    const name = row.name ?? "(no name)";
    if (!this.names.has(name) && this.names.size >= MAX_NAMES) {
      this.othersThanNamed += 1;
      return;
    }
    const counted = this.names.get(name) ?? { accepted: 0, refused: 0, minutes: new Map() };
    this.names.set(name, counted);
    const minute = Math.floor(Date.parse(row.request.record.received_at) / MINUTE);
    const inMinute = counted.minutes.get(minute) ?? { accepted: 0, refused: 0 };
    counted.minutes.set(minute, inMinute);
    counted[row.outcome] += 1;
    inMinute[row.outcome] += 1;
    for (const old of counted.minutes.keys()) {
      if (counted.minutes.size <= 2 * MINUTES_SHOWN) break;
      counted.minutes.delete(old);
    }
  }

  // The names with the most events first, each with its last half hour.
  series(limit, now = Date.now()) {
    const last = Math.floor(now / MINUTE);
    const none = { accepted: 0, refused: 0 };
    const total = ([, counted]) => counted.accepted + counted.refused;
    return [...this.names]
      .sort((a, b) => total(b) - total(a))
      .slice(0, limit)
      .map(([name, { accepted, refused, minutes }]) => ({
        name,
        accepted,
        refused,
        minutes: Array.from({ length: MINUTES_SHOWN }, (_, place) => {
          const minute = last - MINUTES_SHOWN + 1 + place;
          return { at: minute * MINUTE, ...(minutes.get(minute) ?? none) };
        }),
      }));
  }
}
