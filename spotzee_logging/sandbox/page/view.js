// The rows that the filters let through; what is scanned anew is scanned in slices, so that the page stays alive.

import { RowList } from "./row_list.js";

const SLICE_MILLISECONDS = 8;

// A task of its own, after which the browser may paint and hear keys; timers would be held back to 4 ms.
function nextTask() {
  return new Promise((resolve) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      channel.port1.close();
      resolve();
    };
    channel.port2.postMessage(null);
  });
}

export class View {
  rows = new RowList();
  held = 0; // rows that came while it was paused
  #store;
  #matches = () => true;
  #changed;
  #pausedAt = null;
  #scan = 0;

  constructor(store, changed) {
    this.#store = store;
    this.#changed = changed;
    store.listen(this);
  }

  get isPaused() {
    return this.#pausedAt !== null;
  }

  pause() {
    const rows = this.#store.rows;
    this.#pausedAt = rows.length ? rows.at(rows.length - 1).seq : -1;
    this.#changed(0);
  }

  resume() {
    this.#pausedAt = null;
    this.held = 0;
    return this.#refilter();
  }

  filter(matches) {
    this.#matches = matches;
    return this.#refilter();
  }

  reset() {
    this.#scan += 1;
    this.rows = new RowList();
    this.held = 0;
    if (this.isPaused) this.#pausedAt = -1;
    this.#changed(0);
  }

  rowsAdded(rows) {
    this.#dropFallen();
    if (this.isPaused) {
      this.held += rows.length;
      this.#changed(0);
      return;
    }
    const shown = rows.filter(this.#matches);
    for (const row of shown) this.rows.push(row);
    this.#changed(shown.length);
  }

  rowChanged(row) {
    const isShown = this.rows.has(row);
    if (this.#matches(row) !== isShown && !this.#isHeld(row)) {
      if (isShown) this.rows.remove(row);
      else this.rows.insert(row);
    }
    this.#changed(0);
  }

  #isHeld(row) {
    return this.isPaused && row.seq > this.#pausedAt;
  }

  // Paused, a list stands still: what falls off goes when it moves again.
  #dropFallen() {
    if (this.isPaused) return;
    if (this.#store.rows.length) this.rows.dropBefore(this.#store.rows.at(0).seq);
  }

  async #refilter() {
    const scan = ++this.#scan;
    const all = this.#store.rows;
    const found = [];
    let newest = all.length ? all.at(all.length - 1).seq : -1;
    let seq = newest;
    let until = performance.now() + SLICE_MILLISECONDS;
    while (all.length && seq >= all.at(0).seq) {
      const row = all.at(seq - all.at(0).seq);
      if (this.#matches(row) && !this.#isHeld(row)) found.push(row);
      seq -= 1;
      if (performance.now() < until) continue;
      await nextTask();
      if (scan !== this.#scan) return;
      until = performance.now() + SLICE_MILLISECONDS;
    }
    this.rows = new RowList(found.reverse());
    this.#dropFallen();
    for (; all.length && newest < all.at(all.length - 1).seq; newest += 1) {
      const row = all.at(newest + 1 - all.at(0).seq);
      if (this.#matches(row) && !this.#isHeld(row)) this.rows.push(row);
    }
    this.#changed(0);
  }
}
