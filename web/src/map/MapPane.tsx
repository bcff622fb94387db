// The map of the doubts: like products lie close to each other, so that wrong ones stand out as islands of another
// colour, and can be encircled and decided together.

import { useEffect, useRef, useState } from "preact/hooks";
import type { Legend } from "../api";
import { Button, Doubt, Picture } from "../bits";
import { useStore } from "../context";
import { Choice } from "../Filters";
import { count, plural, shared } from "../paths";
import { type Points, palette, ramp, read, table } from "./colours";
import { Scene } from "./Scene";

const CALM = 1200; // milliseconds after a decision until the colours are fetched anew
const HOVER = 70; // milliseconds over a point until it is looked up

interface Hover {
  id: number;
  x: number;
  y: number;
}

export function MapPane() {
  const store = useStore();
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const ring = useRef<HTMLDivElement>(null);
  const scene = useRef<Scene | null>(null);
  const points = useRef<Points | null>(null);
  const [colour, setColour] = useState(store.mapColour);
  const [legend, setLegend] = useState<Legend | null>(null);
  const [lit, setLit] = useState<Set<number>>(new Set());
  const [hover, setHover] = useState<Hover | null>(null);
  const [line, setLine] = useState<[number, number][]>([]);
  const [problem, setProblem] = useState("");
  const chosen = useRef(new Set<number>());
  chosen.current = new Set(store.lasso);

  const wanted = (id: number) => !lit.size || lit.has(points.current?.colour[id] ?? -1);

  useEffect(() => {
    if (!canvas.current || !box.current) return undefined;
    let made: Scene | null = null;
    try {
      made = new Scene(canvas.current, box.current, { moved: () => mark(), broken: setProblem });
      scene.current = made;
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
    return () => {
      made?.destroy();
      scene.current = null;
    };
  }, []);

  // Points and colours; again a little after decisions, where those show.
  useEffect(() => {
    let stale = false;
    const first = points.current === null;
    const fetchAll = async () => {
      try {
        const [data, names] = await Promise.all([
          store.api.bytes(`/api/map?colour=${colour}`),
          store.api.get<Legend>(`/api/map/legend?colour=${colour}`),
        ]);
        if (stale) return;
        points.current = read(data);
        if (first) scene.current?.setPoints(points.current.x, points.current.y);
        setLegend(names);
        setProblem("");
      } catch (error) {
        setProblem(error instanceof Error ? error.message : String(error));
      }
    };
    const timer = window.setTimeout(() => void fetchAll(), first || store.mapColour !== colour ? 0 : CALM);
    store.mapColour = colour;
    return () => {
      stale = true;
      window.clearTimeout(timer);
    };
  }, [colour, colour === "doubt" || colour === "decision" ? store.mapVersion : 0]);

  useEffect(() => {
    if (!legend || !points.current || !scene.current) return;
    const full = table(legend, 225);
    const codes = points.current.colour;
    const some = chosen.current;
    scene.current.paint((id) => {
      const bright = (!lit.size || lit.has(codes[id])) && (!some.size || some.has(id));
      return bright ? full[codes[id]] ?? 0x9a9a9aff : 0x9a9a9a30;
    });
    mark();
  }, [legend, lit, store.lasso]);

  useEffect(() => {
    if (store.current !== null) scene.current?.reveal(store.current);
    mark();
  }, [store.current, legend]);

  /** The ring around the current product follows the map. */
  const mark = () => {
    const place = store.current === null ? null : scene.current?.onScreen(store.current);
    if (!ring.current) return;
    ring.current.hidden = !place;
    if (place) ring.current.style.transform = `translate(${place[0]}px, ${place[1]}px)`;
  };

  const mouse = useMouse(box, {
    lasso: setLine,
    done: (path) => {
      setLine([]);
      void store.select(scene.current?.inside(path, wanted) ?? []);
    },
    over: (x, y) => {
      const id = scene.current?.at(x, y, wanted) ?? null;
      setHover((before) => (id === null ? null : before?.id === id ? before : { id, x, y }));
    },
    click: (x, y) => {
      const id = scene.current?.at(x, y, wanted) ?? null;
      if (id === null) return;
      store.mapWide = false;
      store.open(id);
    },
    out: () => setHover(null),
  });

  const levels = Array.from({ length: store.about.levels }, (_, n): [string, string] => [`level${n + 1}`, `Shelf, level ${n + 1}`]);
  const toggle = (code: number) => {
    const next = new Set(lit);
    if (!next.delete(code)) next.add(code);
    setLit(next);
  };
  return (
    <section class="map" aria-label="Map of the products">
      <div class="maptools">
        <label>
          Colour{" "}
          <Choice label="Colour of the map" value={colour} onChoice={(next) => { setLit(new Set()); setColour(next); }}
            choices={store.about.judged ? [...levels, ["doubt", store.hasGiven ? "Doubt" : "To learn"], ["kind", "Kind"], ["decision", "Decision"]] : levels} />
        </label>
        <Button tone="quiet" onClick={() => scene.current?.zoom(0.7)} title="Zoom in">+</Button>
        <Button tone="quiet" onClick={() => scene.current?.zoom(-0.7)} title="Zoom out">−</Button>
        <Button tone="quiet" onClick={() => scene.current?.fit()}>Show all</Button>
        <span class="spacer" />
        <span class="note">Shift and drag encircles</span>
        <Button tone="quiet" pressed={store.mapWide} onClick={() => store.widen()}>Full width</Button>
      </div>
      <div class="surface" ref={box} {...mouse}>
        <canvas ref={canvas} aria-label={`${plural(points.current?.x.length ?? 0, "product")} as points`} />
        <div ref={ring} class="ring" hidden aria-hidden="true" />
        {line.length > 1 && (
          <svg class="over" aria-hidden="true">
            <polygon class="lasso" points={line.map((corner) => corner.join(",")).join(" ")} />
          </svg>
        )}
        {problem && <p class="banner bad mapproblem" role="alert">The map cannot be shown: {problem}</p>}
        {hover && <Tip hover={hover} width={box.current?.clientWidth ?? 0} height={box.current?.clientHeight ?? 0} />}
        {legend && <LegendBox what={store.hasGiven ? "doubt" : "to learn"} legend={legend} lit={lit} onToggle={toggle} onNone={() => setLit(new Set())} />}
        {store.lasso.length > 0 && <Chosen />}
      </div>
    </section>
  );
}

interface MouseWork {
  lasso: (line: [number, number][]) => void;
  done: (line: [number, number][]) => void;
  over: (x: number, y: number) => void;
  click: (x: number, y: number) => void;
  out: () => void;
}

/** Tell a lasso (Shift and drag), a click, and hovering from the moving of the map, which deck.gl does. */
function useMouse(box: { current: HTMLElement | null }, work: MouseWork) {
  const line = useRef<[number, number][] | null>(null);
  const down = useRef<[number, number] | null>(null);
  const place = (event: PointerEvent): [number, number] => {
    const corner = box.current?.getBoundingClientRect();
    return [event.clientX - (corner?.left ?? 0), event.clientY - (corner?.top ?? 0)];
  };
  const mine = (event: PointerEvent) => event.target instanceof Element && event.target.closest(".legend, .chosen") !== null;
  return {
    onPointerDownCapture: (event: PointerEvent) => {
      if (mine(event) || event.button !== 0) return;
      down.current = place(event);
      if (!event.shiftKey) return;
      event.stopPropagation();
      event.preventDefault();
      box.current?.setPointerCapture(event.pointerId);
      line.current = [place(event)];
    },
    onPointerMoveCapture: (event: PointerEvent) => {
      if (line.current) {
        event.stopPropagation();
        line.current.push(place(event));
        work.lasso([...line.current]);
      } else if (!event.buttons && !mine(event)) work.over(...place(event));
      else work.out();
    },
    onPointerUpCapture: (event: PointerEvent) => {
      const from = down.current;
      down.current = null;
      if (line.current) {
        event.stopPropagation();
        const drawn = line.current;
        line.current = null;
        work.done(drawn);
        return;
      }
      const [x, y] = place(event);
      if (from && Math.hypot(x - from[0], y - from[1]) < 4) work.click(x, y);
    },
    onPointerLeave: () => work.out(),
  };
}

/** Picture, title and shelves of the point under the mouse. */
function Tip({ hover, width, height }: { hover: Hover; width: number; height: number }) {
  const store = useStore();
  useEffect(() => {
    const timer = window.setTimeout(() => store.products.want(hover.id), HOVER);
    return () => window.clearTimeout(timer);
  }, [hover.id]);
  const product = store.products.get(hover.id);
  if (!product) return null;
  const [given, suggested] = [store.path(product.given), store.path(product.suggested)];
  const style = {
    left: `${Math.min(hover.x + 14, Math.max(0, width - 360))}px`,
    ...(hover.y > height - 150 ? { bottom: `${height - hover.y + 12}px` } : { top: `${hover.y + 14}px` }),
  };
  return (
    <div class="tip" style={style} role="tooltip">
      <Picture address={product.picture} size={160} alt="" />
      <div class="words">
        <div class="title">{product.title || product.product_id}</div>
        <div class="from">{given.join(" › ") || "no shelf"}</div>
        {suggested.length > 0 && <div>→ {suggested.slice(Math.min(shared(given, suggested), suggested.length - 1)).join(" › ")}</div>}
        <Doubt value={product.doubt} learn={product.given === null} />
      </div>
    </div>
  );
}

function LegendBox(props: { what: string; legend: Legend; lit: Set<number>; onToggle: (code: number) => void; onNone: () => void }) {
  const { legend, lit } = props;
  if (legend.kind === "scale") {
    return (
      <div class="legend scale" aria-label="Legend">
        <span>0 %</span>
        {Array.from({ length: 12 }, (_, n) => <span key={n} class="patch" style={{ background: ramp(n / 11) }} />)}
        <span>100 % {props.what}</span>
      </div>
    );
  }
  const colours = palette(legend);
  return (
    <div class="legend" role="group" aria-label="Legend: choose what stands out">
      <ul>
        {legend.names.map((name, code) => (
          <li key={name}>
            <button type="button" aria-pressed={lit.has(code)} class={lit.size && !lit.has(code) ? "dim" : ""} onClick={() => props.onToggle(code)}
              title={name}>
              <span class="patch" style={{ background: colours[code] }} />
              <span class="name">{name}</span>
              {legend.counts && <span class="number">{count(legend.counts[code] ?? 0)}</span>}
            </button>
          </li>
        ))}
      </ul>
      {lit.size > 0 && <button type="button" class="link" onClick={props.onNone}>Show all alike</button>}
    </div>
  );
}

/** What was encircled, and what can be done with it. */
function Chosen() {
  const store = useStore();
  const total = store.lasso.length;
  const ask = (action: "accept" | "keep" | "unsure", title: string) => store.askBulk({
    title, action, count: store.rows.total, filter: { ...store.filter },
  });
  return (
    <div class="chosen" role="group" aria-label="Decide on what was encircled">
      <strong>{plural(total, "product")} encircled</strong>
      {store.rows.loaded && store.rows.total !== total && <span>{count(store.rows.total)} of them in the list</span>}
      <Button onClick={() => store.setView("list")}>Show in the list</Button>
      {store.about.can_decide && store.rows.loaded && store.rows.total > 0 && (
        <>
          <Button onClick={() => ask("accept", "each to its suggested shelf")}>Accept …</Button>
          {store.hasGiven && <Button onClick={() => ask("keep", "each stays on its given shelf")}>Keep …</Button>}
          <Button onClick={() => store.pickBulk({ title: "", action: "move", count: store.rows.total, filter: { ...store.filter } })}>Move to …</Button>
          <Button onClick={() => ask("unsure", "unsure")}>Unsure …</Button>
        </>
      )}
      <Button tone="quiet" onClick={() => void store.select([])}>None</Button>
    </div>
  );
}
