// The sandbox's stream of server-sent events, into the store; a browser comes again by itself.

import { element, byId } from "./dom.js";

const WORDS = { live: "live", waiting: "the sandbox is gone; looking for it" };

export function follow(store, onFaults) {
  const source = new EventSource("/sandbox/stream");
  const on = (name, act) => source.addEventListener(name, (event) => act(JSON.parse(event.data)));
  on("reset", () => store.reset());
  on("requests", (records) => store.take(records));
  on("faults", onFaults);
  on("forgotten", (requests) => {
    store.forgotten = requests;
    store.take([]);
  });
  source.addEventListener("open", () => say("live"));
  source.addEventListener("error", () => say("waiting"));
}

function say(state) {
  byId("state").dataset.state = state;
  byId("state-word").replaceWith(element("span", { id: "state-word" }, WORDS[state]));
}
