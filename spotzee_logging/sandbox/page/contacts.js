// Who was seen, and which anonymous id was linked to which external one by an event that was accepted.

const MAX_CONTACTS = 20_000;

export class Contacts {
  external = new Map(); // external id → { count, linked: Set of anonymous ids }
  anonymous = new Map(); // anonymous id → { count, linked: Set of external ids }
  leftOut = false;

  reset() {
    this.external.clear();
    this.anonymous.clear();
    this.leftOut = false;
  }

  outcome(row) {
    if (row.outcome !== "accepted") return;
    const external = this.#seen(this.external, row.external);
    const anonymous = this.#seen(this.anonymous, row.anonymous);
    if (!external || !anonymous) return;
    external.linked.add(row.anonymous);
    anonymous.linked.add(row.external);
  }

  // The external contacts, then the anonymous ones that nobody has been linked to.
  listed(pattern) {
    const isWanted = ([id, { linked }]) => !pattern || [id, ...linked].some((each) => each.toLowerCase().includes(pattern));
    const known = [...this.external].filter(isWanted);
    const unknown = [...this.anonymous].filter(([, { linked }]) => linked.size === 0).filter(isWanted);
    return { known, unknown };
  }

  // Anonymous ids that stand for several people: a link is permanent, so this one cannot be taken back.
  get conflicts() {
    return [...this.anonymous].filter(([, { linked }]) => linked.size > 1);
  }

  #seen(contacts, id) {
    if (id === null) return null;
    if (!contacts.has(id)) {
      if (this.external.size + this.anonymous.size >= MAX_CONTACTS) {
        this.leftOut = true;
        return null;
      }
      contacts.set(id, { count: 0, linked: new Set() });
    }
    const contact = contacts.get(id);
    contact.count += 1;
    return contact;
  }
}
