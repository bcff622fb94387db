// The list of doubts. Only the lines on the screen are in the document, whatever the list's length.

import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Item } from "./api";
import { Button, Doubt, Picture, StateMark, TwoPaths } from "./bits";
import { useStill, useStore } from "./context";
import { count, plural } from "./paths";

export const LINE = 78; // pixels; the same as .line in app.css
const AHEAD = 6; // lines that are drawn beyond the screen
const HIGHEST = 15_000_000; // pixels; browsers cannot make an element much higher

export function DoubtList() {
  const store = useStore();
  const { rows } = store;
  const box = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(800);
  const full = rows.total * LINE;
  const drawn = Math.min(full, HIGHEST);
  const scale = full > drawn ? (full - height) / Math.max(1, drawn - height) : 1;
  const shownTop = top * scale;
  const first = Math.max(0, Math.floor(shownTop / LINE) - AHEAD);
  const last = Math.min(rows.total - 1, Math.ceil((shownTop + height) / LINE) + AHEAD);

  useEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const watcher = new ResizeObserver(() => setHeight(element.clientHeight));
    watcher.observe(element);
    return () => watcher.disconnect();
  }, []);
  useEffect(() => {
    store.window = [first, Math.max(first, last)];
    if (rows.loaded) rows.need(first, last);
  }, [first, last, rows.total, rows.loaded]);

  const place = store.placeOfCurrent();
  useLayoutEffect(() => {
    const element = box.current;
    if (!element || place < 0) return;
    const above = place * LINE;
    if (above < shownTop) element.scrollTop = above / scale;
    else if (above + LINE > shownTop + height) element.scrollTop = (above + LINE - height) / scale;
  }, [place, store.current]);

  const lines = [];
  for (let at = first; at <= last; at++) {
    const item = rows.items[at];
    lines.push(<Line key={item ? item.id : `empty-${at}`} item={item} place={at} top={at * LINE - shownTop + top} />);
  }
  return (
    <div class="list" ref={box} role="listbox" aria-label={store.about.judged ? "Doubts" : "Products"} tabIndex={0} aria-multiselectable="true"
      aria-activedescendant={store.current === null ? undefined : `doubt-${store.current}`}
      onScroll={(event) => setTop(event.currentTarget.scrollTop)}>
      <div class="whole" style={{ height: `${drawn}px` }}>
        {lines}
      </div>
      {rows.loaded && rows.total === 0 && <Empty />}
      {!rows.loaded && rows.failed && <p class="empty-list">{rows.failed}</p>}
    </div>
  );
}

function Empty() {
  const store = useStore();
  const done = store.about.judged && store.filter.state === "open";
  return (
    <div class="empty-list">
      <p>{done ? "Nothing is open here." : "No product passes these filters."}</p>
      <Button onClick={() => store.clearFilter()}>Clear filters</Button>
    </div>
  );
}

interface LineProps {
  item: Item | undefined;
  place: number;
  top: number;
}

/** A line is drawn anew only where something of it has changed. */
function Line({ item, place, top }: LineProps) {
  const store = useStill();
  const picked = item !== undefined && store.picked.has(item.id);
  const chosen = item !== undefined && store.current === item.id;
  const saving = item !== undefined && Boolean(store.outbox.wishFor(item.id));
  const { total } = store.rows;
  return useMemo(() => {
    const style = { transform: `translateY(${top}px)` };
    if (!item) return <div class="line waiting" style={style} aria-hidden="true" />;
    const click = (event: MouseEvent) => {
      if (event.shiftKey) {
        const from = store.placeOfCurrent();
        store.pickRange(from < 0 ? place : from, place);
      } else if (event.ctrlKey || event.metaKey) store.pick(item.id);
      store.open(item.id);
    };
    const classes = `line${store.about.can_decide ? "" : " looking"}${chosen ? " current" : ""}${picked ? " picked" : ""}${item.state === "open" ? "" : " done"}`;
    return (
      <div class={classes} style={style} id={`doubt-${item.id}`} role="option" aria-selected={picked}
        aria-current={chosen || undefined} aria-setsize={total} aria-posinset={place + 1} onClick={click}>
        {store.about.can_decide && (
          <input type="checkbox" checked={picked} aria-label={`Pick ${item.title}`} tabIndex={-1}
            onClick={(event) => { event.stopPropagation(); store.pick(item.id); }} />
        )}
        <Picture address={item.picture} size={160} alt="" />
        <div class="words">
          <div class="title">{item.title || item.product_id}</div>
          <TwoPaths given={store.path(item.given)} suggested={store.path(item.suggested)} />
          <div class="facts">
            <Doubt value={item.doubt} learn={item.given === null} />
            <span class={`kind ${item.kind}`}>{item.kind}</span>
            <StateMark state={item.state} saving={saving} />
            <span class="seller">{item.seller}</span>
          </div>
        </div>
      </div>
    );
  }, [item, place, top, picked, chosen, saving, total]);
}

/** What can be done with the picked products, or with the whole list. */
export function BulkBar() {
  const store = useStore();
  const { picked, filter, rows } = store;
  if (!store.about.can_decide) return null;
  if (picked.size) {
    const ids = [...picked];
    const ask = (action: "accept" | "keep" | "unsure" | "skip", title: string) =>
      store.askBulk({ title, action, count: ids.length, items: ids.map((id) => ({ id, action })) });
    return (
      <div class="bulkbar" role="group" aria-label="Decide on the picked products">
        <strong>{count(ids.length)} picked</strong>
        <Button onClick={() => ask("accept", "each to its suggested shelf")}>Accept</Button>
        {store.hasGiven && <Button onClick={() => ask("keep", "each stays on its given shelf")}>Keep</Button>}
        <Button onClick={() => store.pickBulk({ title: "", action: "move", count: ids.length, items: ids.map((id) => ({ id, action: "move" })) })}>
          Move to …
        </Button>
        <Button onClick={() => ask("unsure", "unsure")}>Unsure</Button>
        <Button tone="quiet" onClick={() => store.pickNone()}>None</Button>
      </div>
    );
  }
  if (!rows.total || !rows.loaded) return null;
  const ask = (action: "accept" | "keep", title: string) =>
    store.askBulk({ title, action, count: rows.total, filter: { ...filter } });
  return (
    <div class="bulkbar quiet" role="group" aria-label="Decide on all products of this list">
      <span>All {plural(rows.total, "product")}</span>
      <Button tone="quiet" onClick={() => ask("accept", "each to its suggested shelf")}>Accept …</Button>
      {store.hasGiven && <Button tone="quiet" onClick={() => ask("keep", "each stays on its given shelf")}>Keep …</Button>}
      <Button tone="quiet" onClick={() => store.pickBulk({ title: "", action: "move", count: rows.total, filter: { ...filter } })}>
        Move to …
      </Button>
    </div>
  );
}
