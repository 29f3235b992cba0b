// The tabs, as the ARIA pattern has them: arrows move between them, the address remembers which is open.

export class Tabs {
  #tabs = [...document.querySelectorAll('[role="tab"]')];
  #opened;

  constructor(opened) {
    this.#opened = opened;
    for (const tab of this.#tabs) {
      tab.addEventListener("click", () => this.open(tab.getAttribute("aria-controls")));
      tab.addEventListener("keydown", (event) => this.#moved(event));
    }
    addEventListener("popstate", () => this.#show());
    this.#show();
  }

  get current() {
    const wanted = location.hash.slice(1);
    const panels = this.#tabs.map((tab) => tab.getAttribute("aria-controls"));
    return panels.includes(wanted) ? wanted : "events";
  }

  open(panel) {
    // Not by location.hash, which would take the focus to the panel.
    if (panel !== this.current) history.pushState(null, "", `#${panel}`);
    this.#show();
  }

  #show() {
    for (const tab of this.#tabs) {
      const panel = tab.getAttribute("aria-controls");
      const isCurrent = panel === this.current;
      tab.setAttribute("aria-selected", isCurrent);
      tab.tabIndex = isCurrent ? 0 : -1;
      document.getElementById(panel).hidden = !isCurrent;
    }
    this.#opened(this.current);
  }

  #moved(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const place = this.#tabs.indexOf(event.currentTarget);
    const next = this.#tabs[(place + step + this.#tabs.length) % this.#tabs.length];
    next.focus();
    next.click();
    event.preventDefault();
  }
}
