// Rows in the order of their `seq`, cheap to append to and to drop from the front of.

const SLACK = 8192; // dropped rows whose places are kept, before the array is cut

export class RowList {
  #rows;
  #head = 0;

  constructor(rows = []) {
    this.#rows = rows;
  }

  get length() {
    return this.#rows.length - this.#head;
  }

  at(index) {
    return this.#rows[this.#head + index];
  }

  push(row) {
    this.#rows.push(row);
  }

  shift() {
    const row = this.#rows[this.#head];
    this.#rows[this.#head++] = undefined;
    if (this.#head > SLACK && this.#head * 2 > this.#rows.length) {
      this.#rows = this.#rows.slice(this.#head);
      this.#head = 0;
    }
    return row;
  }

  dropBefore(seq) {
    while (this.length && this.at(0).seq < seq) this.shift();
  }

  // Where a row stands, or would: the first index whose row is not older.
  placeOf(row) {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.at(middle).seq < row.seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  has(row) {
    return this.at(this.placeOf(row)) === row;
  }

  insert(row) {
    this.#rows.splice(this.#head + this.placeOf(row), 0, row);
  }

  remove(row) {
    this.#rows.splice(this.#head + this.placeOf(row), 1);
  }
}
