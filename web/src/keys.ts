// The keyboard: every step of the work without the mouse.

import type { Store } from "./store";

/** Whether a key is meant for a field, a dialog or a control, not for the page. */
function elsewhere(event: KeyboardEvent, store: Store): boolean {
  if (store.dialog || event.isComposing || event.altKey) return true;
  const target = event.target instanceof HTMLElement ? event.target : null;
  if (!target) return false;
  const field = target.closest("input, select, textarea, [contenteditable]");
  if (field instanceof HTMLInputElement && field.type === "checkbox") return false;
  return field !== null;
}

/** Enter and the space bar on a button or a link belong to that. */
function isPress(event: KeyboardEvent): boolean {
  const pressing = event.key === "Enter" || event.key === " ";
  return pressing && event.target instanceof HTMLElement && event.target.closest("button, a, summary") !== null;
}

export function listen(store: Store): void {
  const plain: Record<string, () => void> = {
    a: () => store.decide("accept"),
    enter: () => store.decide("accept"),
    k: () => store.decide("keep"),
    o: () => store.current !== null && store.about.can_decide && store.show("picker"),
    u: () => store.decide("unsure"),
    s: () => store.decide("skip"),
    arrowright: () => store.decide("skip"),
    z: () => store.undo(),
    arrowdown: () => store.step(1),
    arrowup: () => store.step(-1),
    x: () => store.current !== null && store.about.can_decide && store.pick(store.current),
    m: () => store.about.has_map && store.setView(store.view === "map" ? "list" : "map"),
    f: () => document.getElementById("filter-text")?.focus(),
    escape: () => store.pickNone(),
    "?": () => store.show("help"),
  };
  plain["/"] = plain.o;
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !store.dialog && event.target instanceof HTMLInputElement) event.target.blur();
    if (elsewhere(event, store) || isPress(event)) return;
    const key = event.key.toLowerCase();
    const control = event.ctrlKey || event.metaKey;
    let work: (() => void) | undefined;
    if (control) work = key === "z" && !event.shiftKey ? plain.z : undefined;
    else if (event.shiftKey && key === "arrowdown") work = () => store.step(1, true);
    else if (event.shiftKey && key === "arrowup") work = () => store.step(-1, true);
    else if (/^[1-9]$/.test(key)) work = () => candidate(store, Number(key) - 1);
    else work = plain[key];
    // A key that is held down repeats: fine for going through the list, never for decisions.
    if (!work || (event.repeat && !key.startsWith("arrowd") && !key.startsWith("arrowu"))) return;
    event.preventDefault();
    work();
  });
}

function candidate(store: Store, number: number): void {
  const found = store.product()?.candidates[number];
  if (found) store.choose(found.category);
}
