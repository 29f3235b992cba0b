// The list: as many elements as are in sight, whatever the number of rows; the newest stands first.

import { byId, element, onceAFrame } from "./dom.js";
import { brief, clock, size, titled, visible } from "./text.js";
import { VERDICTS } from "./verdicts.js";

const OVERSCAN = 6;

export class EventList {
  #view;
  #open;
  #scroll = byId("scroll");
  #sizer = byId("sizer");
  #pool = [];
  #selected = null;

  constructor(view, open) {
    this.#view = view;
    this.#open = open;
    this.draw = onceAFrame(() => this.#draw());
    this.#scroll.addEventListener("scroll", this.draw, { passive: true });
    this.#sizer.addEventListener("click", (event) => this.#clicked(event));
    new ResizeObserver(this.draw).observe(this.#scroll);
  }

  get selected() {
    return this.#selected;
  }

  // Rows that come in above what is read do not move it.
  keepPlace(added) {
    if (added && this.#scroll.scrollTop > 0) {
      this.#resize();
      this.#scroll.scrollTop += added * this.#rowHeight();
    }
    this.draw();
  }

  focus() {
    this.#scroll.focus();
  }

  select(row) {
    this.#selected = row;
    if (row) this.#reveal(this.#indexOf(row));
    this.draw();
  }

  move(steps) {
    const length = this.#view.rows.length;
    if (!length) return;
    const now = this.#selected && this.#view.rows.has(this.#selected) ? this.#indexOf(this.#selected) : null;
    const next = now === null ? 0 : Math.max(0, Math.min(length - 1, now + steps));
    this.select(this.#at(next));
  }

  get page() {
    return Math.max(1, Math.floor(this.#scroll.clientHeight / this.#rowHeight()) - 1);
  }

  #at(index) {
    return this.#view.rows.at(this.#view.rows.length - 1 - index);
  }

  #indexOf(row) {
    return this.#view.rows.length - 1 - this.#view.rows.placeOf(row);
  }

  // The style sheet's, since a phone's rows have two lines.
  #rowHeight() {
    return parseFloat(getComputedStyle(this.#scroll).getPropertyValue("--row-height"));
  }

  #resize() {
    this.#sizer.style.height = `${this.#view.rows.length * this.#rowHeight()}px`;
  }

  #reveal(index) {
    this.#resize();
    const height = this.#rowHeight();
    const top = index * height;
    const scroll = this.#scroll;
    if (top < scroll.scrollTop) scroll.scrollTop = top;
    else if (top + height > scroll.scrollTop + scroll.clientHeight) scroll.scrollTop = top + height - scroll.clientHeight;
  }

  #draw() {
    this.#resize();
    const height = this.#rowHeight();
    const length = this.#view.rows.length;
    const first = Math.max(0, Math.floor(this.#scroll.scrollTop / height) - OVERSCAN);
    const last = Math.min(length, Math.ceil((this.#scroll.scrollTop + this.#scroll.clientHeight) / height) + OVERSCAN);
    while (this.#pool.length < last - first) this.#pool.push(this.#newLine());
    this.#pool.forEach((line, place) => this.#show(line, first + place, last, height));
    this.#scroll.setAttribute("aria-rowcount", length);
    const isInSight = this.#pool.some((line) => !line.hidden && line.row === this.#selected);
    if (isInSight && this.#selected) this.#scroll.setAttribute("aria-activedescendant", `row-${this.#selected.seq}`);
    else this.#scroll.removeAttribute("aria-activedescendant");
  }

  #newLine() {
    const cells = ["time", "name", "contact", "size number", "verdict"].map((name) =>
      element("span", { class: name, role: "gridcell" }),
    );
    const line = element("div", { class: "row", role: "row" }, cells);
    line.cells = cells;
    this.#sizer.append(line);
    return line;
  }

  #show(line, index, last, height) {
    line.hidden = index >= last;
    if (line.hidden) {
      // Or two elements would have the id that names the active one.
      for (const name of ["id", "aria-selected", "aria-rowindex"]) line.removeAttribute(name);
      line.row = null;
      return;
    }
    const row = this.#at(index);
    line.style.transform = `translateY(${index * height}px)`;
    line.setAttribute("aria-rowindex", index + 1);
    line.setAttribute("aria-selected", row === this.#selected);
    if (line.row === row && line.verdict === row.verdict) return;
    line.row = row;
    line.verdict = row.verdict;
    line.id = `row-${row.seq}`;
    line.dataset.verdict = row.verdict;
    const texts = [clock(row.request.record.received_at), nameOf(row), contactOf(row), size(row.size), verdictText(row)];
    line.cells.forEach((cell, place) => {
      cell.textContent = texts[place];
    });
    line.cells[1].classList.toggle("none", row.name === null);
    line.cells[4].title = texts[4]; // the one whose end tells what the matter is
  }

  #clicked(event) {
    const line = event.target.closest(".row");
    if (!line?.row) return;
    this.select(line.row);
    this.#open(line.row);
  }
}

export function nameOf(row) {
  if (row.name !== null) return titled(row.name, 200);
  if (row.isEvent) return "(no name)";
  return row.request.record.path.endsWith("/events") ? "(unreadable body)" : brief(row.request.record.path, 200);
}

export function contactOf(row) {
  const ids = [row.anonymous, row.external].filter((id) => id !== null);
  return ids.length ? ids.map((id) => brief(id, 80)).join(" ⇄ ") : "–";
}

export function verdictText(row) {
  const { sign, word } = VERDICTS[row.verdict];
  const { status, code } = row.request.record;
  const errors = row.request.errors.get(row.item);
  if (row.verdict === "refused") return `${sign} ${word} · ${visible(errors?.[0]?.code || code || String(status))}`;
  if (row.verdict === "retry" || row.verdict === "held") return `${sign} ${word} · ${status}`;
  return `${sign} ${word}`;
}
