// The top of the page: what is reviewed, how far it is, what is not saved yet, list or map.

import { useEffect, useRef } from "preact/hooks";
import { Key } from "./bits";
import { useStore } from "./context";
import { count, plural } from "./paths";

export function Header() {
  const store = useStore();
  const { about, progress, outbox } = store;
  const decided = progress ? progress.products - progress.open : 0;
  const share = progress ? decided / Math.max(1, progress.products) : 0;
  const menu = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    const close = (event: Event) => {
      if (menu.current && !(event.target instanceof Node && menu.current.contains(event.target))) menu.current.open = false;
    };
    document.addEventListener("pointerdown", close);
    return () => document.removeEventListener("pointerdown", close);
  }, []);
  const failing = outbox.waiting.some((sending) => sending.problem);
  return (
    <header class="top">
      <div class="brand">
        <img src="/static/icon.svg" alt="" width="24" height="24" />
        <h1 title={about.catalogue}>{about.title}</h1>
      </div>
      {about.judged ? (
        <button type="button" class="progress" onClick={() => store.show("progress")} title="Progress and agreement">
          <progress max={1} value={share} aria-label="Products reviewed" />
          <span>
            {count(decided)} of {count(about.products)} reviewed
          </span>
        </button>
      ) : <span class="progress">{plural(about.products, "product")}</span>}
      <div class="spacer" />
      {outbox.waiting.length > 0 && (
        <button type="button" class={failing ? "chip bad" : "chip"} onClick={() => store.show("unsaved")}>
          {plural(outbox.waiting.length, "decision")} not saved yet
        </button>
      )}
      {!about.can_decide && <span class="chip">looking only</span>}
      {about.has_map && (
        <div class="switch" role="group" aria-label="View">
          <button type="button" aria-pressed={store.view === "list"} onClick={() => store.setView("list")}>
            List
          </button>
          <button type="button" aria-pressed={store.view === "map"} onClick={() => store.setView("map")}>
            Map <Key>M</Key>
          </button>
        </div>
      )}
      {about.judged && (
        <details class="menu" ref={menu}>
          <summary>Export</summary>
          <div class="sheet">
            <a href="/api/export?form=parquet" download>Decisions as Parquet</a>
            <a href="/api/export?form=csv" download>Decisions as CSV</a>
          </div>
        </details>
      )}
      {about.judged && (
        <button type="button" class="link" onClick={() => store.show("name")} title="Change the reviewer's name">
          {store.api.reviewer || "reviewer"}
        </button>
      )}
      <button type="button" class="round" onClick={() => store.show("help")} aria-label="Keys and help">
        ?
      </button>
    </header>
  );
}

/** What is wrong at large: the server is gone, the catalogue has changed. */
export function Banners() {
  const store = useStore();
  const waiting = store.outbox.waiting.length;
  const problem = store.outbox.waiting.find((sending) => sending.problem)?.problem;
  return (
    <div class="banners" role="status" aria-live="polite">
      {!store.online && (
        <p class="banner bad">
          The server does not answer.{" "}
          {waiting > 0
            ? `${plural(waiting, "decision")} not saved yet; kept here and sent when it is back.`
            : "Nothing is lost; what you decide now is sent when it is back."}
        </p>
      )}
      {store.online && problem && (
        <p class="banner bad">
          {plural(waiting, "decision")} not saved yet: {problem} Sent again until it is.
        </p>
      )}
      {store.about.notes.map((note) => (
        <p class="banner" key={note}>
          {note}
          <button type="button" class="link" onClick={() => store.hideNote(note)}>
            Hide
          </button>
        </p>
      ))}
    </div>
  );
}
