// What the list is narrowed to.

import { useEffect, useId, useRef, useState } from "preact/hooks";
import type { Filter, Shelf } from "./api";
import { Button } from "./bits";
import { useStore } from "./context";
import { count, plural } from "./paths";
import { Matched } from "./Picker";

const TYPING = 200; // milliseconds of rest before a text is looked for

export function Filters() {
  const store = useStore();
  const { about, filter } = store;
  const set = (change: Partial<Filter>) => store.setFilter(change);
  const narrowed = filter.kind || filter.shelf || filter.seller || filter.text || filter.selection
    || filter.least > 0 || filter.most < 1 || filter.state !== "open";
  return (
    <section class="filters" aria-label="Filters">
      <div class="row">
        <TextBox value={filter.text} onText={(text) => set({ text })} />
        {about.judged && (
          <Choice label="State" value={filter.state} onChoice={(state) => set({ state: state as Filter["state"] })}
            choices={[["open", "Open"], ["decided", "Decided"], ["unsure", "Unsure"], ["skipped", "Skipped"], ["all", "All"]]} />
        )}
      </div>
      <div class="row">
        <ShelfBox />
        {about.judged && store.hasGiven && (
          <Choice label="Which shelf" value={filter.role} onChoice={(role) => set({ role: role as Filter["role"] })}
            choices={[["either", "on either side"], ["given", "given"], ["suggested", "suggested"]]} />
        )}
      </div>
      <div class="row">
        <Choice label="Kind" value={filter.kind} onChoice={(kind) => set({ kind })}
          choices={[["", "All kinds"], ...Object.entries(about.kinds).map(([kind, n]): [string, string] => [kind, `${kind} (${count(n)})`])]} />
        {about.sellers.length > 0 && (
          <Choice label="Seller" value={filter.seller} onChoice={(seller) => set({ seller })}
            choices={[["", "All sellers"], ...about.sellers.map(({ name, count: n }): [string, string] => [name, `${name} (${count(n)})`])]} />
        )}
        {about.judged && (
          <Range name={store.hasGiven ? "Doubt" : "To learn"} least={filter.least} most={filter.most}
            onRange={(least, most) => set({ least, most })} />
        )}
      </div>
      <div class="row summary">
        <strong>{store.rows.loaded ? plural(store.rows.total, "product") : "…"}</strong>
        {filter.selection && <span class="chip">{count(store.lasso.length)} selected on the map</span>}
        <span class="spacer" />
        {narrowed && (
          <Button tone="quiet" onClick={() => store.clearFilter()}>
            Clear filters
          </Button>
        )}
      </div>
    </section>
  );
}

function TextBox({ value, onText }: { value: string; onText: (text: string) => void }) {
  const [text, setText] = useState(value);
  const timer = useRef(0);
  useEffect(() => setText(value), [value]);
  const typed = (next: string) => {
    setText(next);
    window.clearTimeout(timer.current);
    timer.current = window.setTimeout(() => onText(next), TYPING);
  };
  return (
    <input type="search" id="filter-text" class="grow" placeholder="Title, brand, seller or id" aria-label="Text filter"
      value={text} onInput={(event) => typed(event.currentTarget.value)} />
  );
}

export function Choice(props: { label: string; value: string; choices: [string, string][]; onChoice: (value: string) => void }) {
  return (
    <select aria-label={props.label} title={props.label} value={props.value}
      onChange={(event) => props.onChoice(event.currentTarget.value)}>
      {props.choices.map(([value, words]) => (
        <option key={value} value={value} selected={value === props.value}>
          {words}
        </option>
      ))}
    </select>
  );
}

function Range(props: { name: string; least: number; most: number; onRange: (least: number, most: number) => void }) {
  const { name, least, most, onRange } = props;
  const change = (low: string, high: string) => {
    const [from, to] = [Number(low) / 100, Number(high) / 100].map((n) => Math.min(1, Math.max(0, n || 0)));
    onRange(Math.min(from, to), Math.max(from, to));
  };
  return (
    <span class="range" title={`${name} from … to … per cent`}>
      <span aria-hidden="true">{name}</span>
      <input type="number" min={0} max={100} step={5} aria-label="Least doubt in per cent" value={Math.round(least * 100)}
        onChange={(event) => change(event.currentTarget.value, String(most * 100))} />
      <span aria-hidden="true">–</span>
      <input type="number" min={0} max={100} step={5} aria-label="Most doubt in per cent" value={Math.round(most * 100)}
        onChange={(event) => change(String(least * 100), event.currentTarget.value)} />
    </span>
  );
}

/** A shelf, typed, with suggestions; what is typed may also be the beginning of a path. */
function ShelfBox() {
  const store = useStore();
  const list = useId();
  const [text, setText] = useState(store.filter.shelf);
  const [found, setFound] = useState<Shelf[]>([]);
  const [at, setAt] = useState(-1);
  const [shown, setShown] = useState(false);
  const asked = useRef(0);
  useEffect(() => setText(store.filter.shelf), [store.filter.shelf]);
  const look = (question: string) => {
    setText(question);
    setAt(-1);
    setShown(true);
    const number = ++asked.current;
    store.api.get<{ items: Shelf[] }>(`/api/shelves?q=${encodeURIComponent(question)}&limit=12`).then(
      ({ items }) => number === asked.current && setFound(items),
      () => setFound([]),
    );
  };
  const choose = (shelf: string) => {
    asked.current++;
    setShown(false);
    setText(shelf);
    if (shelf !== store.filter.shelf) store.setFilter({ shelf });
  };
  const keys = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      setAt((before) => Math.min(found.length - 1, Math.max(-1, before + (event.key === "ArrowDown" ? 1 : -1))));
    } else if (event.key === "Enter") choose(at >= 0 ? found[at].category : text.trim());
    else if (event.key === "Escape" && shown) {
      event.stopPropagation();
      setShown(false);
    }
  };
  return (
    <span class="combo grow">
      <input type="text" autocomplete="off" placeholder="Shelf or beginning of a path" aria-label="Shelf filter" role="combobox" id="filter-shelf"
        aria-expanded={shown && found.length > 0} aria-controls={list} aria-activedescendant={at >= 0 ? `${list}-${at}` : undefined}
        value={text} onInput={(event) => look(event.currentTarget.value)} onKeyDown={keys}
        onBlur={() => window.setTimeout(() => setShown(false), 150)}
        onChange={(event) => event.currentTarget.value === "" && choose("")} />
      {shown && found.length > 0 && (
        <ul class="options" id={list} role="listbox" aria-label="Shelves">
          {found.map((shelf, place) => (
            <li key={shelf.category} id={`${list}-${place}`} role="option" aria-selected={place === at}
              onMouseDown={(event) => { event.preventDefault(); choose(shelf.category); }}>
              <Matched shelf={shelf} />
            </li>
          ))}
        </ul>
      )}
    </span>
  );
}
