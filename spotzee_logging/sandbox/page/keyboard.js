// What keys do on the events tab. Where text is typed, keys are text.

const TYPED = "input, textarea, select";

export function listenToKeys({ isOnEvents, list, filters, open, close, pause }) {
  const moves = {
    ArrowDown: () => list.move(1),
    ArrowUp: () => list.move(-1),
    j: () => list.move(1),
    k: () => list.move(-1),
    PageDown: () => list.move(list.page),
    PageUp: () => list.move(-list.page),
    Home: () => list.move(-Infinity),
    End: () => list.move(Infinity),
  };
  const keys = { ...moves, "/": () => filters.focus(), p: pause, Escape: close };

  document.addEventListener("keydown", (event) => {
    if (!isOnEvents() || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches(TYPED)) {
      if (event.key === "Escape") list.focus();
      return;
    }
    const isOnList = event.target.matches(".scroll, body, .detail");
    // On a button, Enter and the arrows are the button's.
    if (event.key === "Enter" && isOnList) open();
    else if (keys[event.key] && (isOnList || !(event.key in moves))) keys[event.key]();
    else return;
    event.preventDefault();
  });
}
