// A card for each name: its total, and a column for each of the last minutes.

import { atMostEvery, byId, element, svgElement } from "./dom.js";
import { MINUTES_SHOWN } from "./counts.js";
import { brief, clock, count, plural, titled } from "./text.js";

const MAX_CARDS = 24;
const HEIGHT = 22;
const STEP = 4; // a column and the gap to the next

export class CountCards {
  #counts;
  #choose;

  constructor(counts, choose) {
    this.#counts = counts;
    this.#choose = choose;
    this.draw = atMostEvery(500, () => this.#draw());
    setInterval(this.draw, 15_000); // minutes pass without events too
    if (matchMedia("(max-width: 700px)").matches) byId("counts").open = false;
  }

  #draw() {
    const series = this.#counts.series(MAX_CARDS);
    byId("counts").hidden = series.length === 0;
    const { size } = this.#counts.names;
    const names = size > MAX_CARDS ? `the ${MAX_CARDS} most frequent of ${count(size)} names, ` : "";
    byId("counts-hint").textContent = `${names}the last ${MINUTES_SHOWN} minutes; each event once, when it was accepted or refused`;
    byId("count-cards").replaceChildren(...series.map((each) => this.#card(each)));
  }

  #card({ name, accepted, refused, minutes }) {
    const button = element(
      "button",
      { type: "button", title: "Show these alone", click: () => this.#choose(name) },
      element("span", { class: "name" }, titled(name, 60)),
      element("span", { class: "refusals" }, refused ? `✕ ${count(refused)}` : ""),
      element("span", { class: "number" }, count(accepted + refused)),
      columns(minutes, `${name}: ${plural(accepted, "event")} accepted, ${count(refused)} refused`),
    );
    return element("li", {}, button);
  }
}

function columns(minutes, label) {
  const most = Math.max(1, ...minutes.map(({ accepted, refused }) => accepted + refused));
  const peak = minutes.find(({ accepted, refused }) => accepted + refused === most);
  const told = peak ? `${label}; at most ${plural(most, "event")} a minute, at ${clock(peak.at, false)}` : label;
  const bars = minutes.flatMap(({ accepted, refused }, place) => [
    bar("accepted", place, accepted, 0, most),
    bar("refused", place, refused, accepted, most),
  ]);
  const box = `0 0 ${MINUTES_SHOWN * STEP} ${HEIGHT}`;
  const base = svgElement("rect", { class: "base", x: 0, y: HEIGHT - 0.75, width: MINUTES_SHOWN * STEP, height: 0.75 });
  return svgElement("svg", { viewBox: box, preserveAspectRatio: "none", role: "img", "aria-label": brief(told, 200) }, base, bars);
}

function bar(kind, place, events, below, most) {
  if (!events) return null;
  const scale = (HEIGHT - 1) / most;
  const height = Math.max(1, events * scale);
  const y = HEIGHT - 0.75 - below * scale - height;
  return svgElement("rect", { class: kind, x: place * STEP, y, width: STEP - 1, height });
}
