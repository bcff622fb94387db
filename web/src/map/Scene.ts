// The map's drawing: pan, zoom, which point is under the mouse, which are inside of a lasso.
//
// What draws it was chosen by test, in headless Chromium 150 under the page's content security policy, 100,000 points,
// two cores and no graphics card (SwiftShader):
// - regl-scatterplot 1.16 does not start: regl makes its code at run time (`Function(...)`), which needs unsafe-eval.
// - embedding-atlas 0.26 needs WebGPU, which many shop computers lack, sets inline styles that the policy refuses, and
//   its peer packages (mosaic, DuckDB) are larger than all the rest of the page.
// - deck.gl 9.4 runs under the policy: it draws, pans and zooms. Its ScatterplotLayer took 3 s of a processor a frame,
//   multisampling doubled the rest, so the points are a layer of our own (PointsLayer), smoothed in its shader. Even so
//   100,000 points cost 0.3 s without a graphics card. So they lie in random order, and while the map moves only as
//   many are drawn as the machine manages at 30 frames a second or more; when it rests all are there again. With a
//   graphics card all are drawn all the time.
// kdbush finds the nearest point and those inside of a box.

import { Deck, OrthographicView, type OrthographicViewState } from "@deck.gl/core";
import KDBush from "kdbush";
import { PointsLayer } from "./PointsLayer";

export interface SceneEvents {
  moved: () => void;
  broken: (message: string) => void;
}

const SLOW = 26; // milliseconds a frame from which on fewer points are drawn while the map moves
const FAST = 20; // or fewer: a few more
const FEWEST = 3000;
const REST = 140; // milliseconds without movement after which all points are drawn
const LEGEND = 230; // pixels at the right that the legend covers
const NEAR = 9; // pixels around the mouse

export class Scene {
  private readonly deck: Deck<OrthographicView>;
  private order = new Uint32Array(0) as Uint32Array; // of what is drawn -> number of the doubt
  private positions = new Float32Array(0) as Float32Array;
  private colours = new Uint8Array(0) as Uint8Array;
  private index: KDBush | null = null;
  private x = new Float32Array(0) as Float32Array;
  private y = new Float32Array(0) as Float32Array;
  private view: OrthographicViewState = { target: [0, 0, 0], zoom: 0, minZoom: -20, maxZoom: 30 };
  private budget = Number.POSITIVE_INFINITY;
  private moving = false;
  private rest = 0;
  private dragging = false;
  private lastFrame = 0;
  private slowest = 0; // milliseconds that the last frame took
  private readonly watcher: ResizeObserver;
  frames = 0;

  constructor(private readonly canvas: HTMLCanvasElement, private readonly box: HTMLElement, private readonly events: SceneEvents) {
    this.deck = new Deck<OrthographicView>({
      canvas,
      width: box.clientWidth,
      height: box.clientHeight,
      views: new OrthographicView({ id: "map", flipY: false, clear: true, clearColor: ground(box) }),
      viewState: this.view,
      controller: { scrollZoom: { speed: 0.008, smooth: false }, inertia: 180, dragRotate: false, doubleClickZoom: true, keyboard: false },
      layers: [],
      // No multisampling, and no blending with what lies behind the map: both cost much without a graphics card.
      deviceProps: { type: "webgl", webgl: { antialias: false, alpha: false, depth: false, stencil: false } },
      pickingRadius: 0,
      _pickable: false,
      getCursor: ({ isDragging }) => (isDragging ? "grabbing" : "crosshair"),
      onViewStateChange: ({ viewState }) => this.move(viewState as OrthographicViewState),
      onInteractionStateChange: ({ isDragging }) => { this.dragging = isDragging ?? false; },
      onAfterRender: () => this.drawn(),
      onError: (error) => events.broken(error.message),
    });
    this.watcher = new ResizeObserver(() => {
      this.deck.setProps({ width: box.clientWidth, height: box.clientHeight });
    });
    this.watcher.observe(box);
  }

  destroy(): void {
    window.clearTimeout(this.rest);
    this.watcher.disconnect();
    this.deck.finalize();
  }

  /** Places of all doubts by number; NaN: not on the map. */
  setPoints(x: Float32Array, y: Float32Array): void {
    this.x = x;
    this.y = y;
    const placed: number[] = [];
    for (let id = 0; id < x.length; id++) if (Number.isFinite(x[id]) && Number.isFinite(y[id])) placed.push(id);
    this.order = shuffled(Uint32Array.from(placed));
    this.positions = new Float32Array(this.order.length * 2);
    const index = new KDBush(Math.max(1, this.order.length), 64, Float32Array);
    if (!this.order.length) index.add(Number.MAX_VALUE, 0);
    this.order.forEach((id, place) => {
      this.positions[2 * place] = x[id];
      this.positions[2 * place + 1] = y[id];
      index.add(x[id], y[id]);
    });
    this.index = index.finish();
    this.colours = new Uint8Array(this.order.length * 4);
    this.fit();
  }

  get placed(): number {
    return this.order.length;
  }

  /** Paint the points; `rgba` gives the colour of a doubt as 0xRRGGBBAA. */
  paint(rgba: (id: number) => number): void {
    const colours = new Uint8Array(this.order.length * 4);
    const words = new DataView(colours.buffer);
    this.order.forEach((id, place) => words.setUint32(4 * place, rgba(id)));
    this.colours = colours;
    this.draw();
  }

  /** Show all points. */
  fit(): void {
    if (!this.order.length) return;
    const [left, right] = ends(this.x, this.order);
    const [bottom, top] = ends(this.y, this.order);
    const across = Math.max(right - left, 1e-9);
    const up = Math.max(top - bottom, 1e-9);
    const room = Math.max(200, this.box.clientWidth - LEGEND);
    const scale = Math.max(1e-9, Math.min((room * 0.93) / across, (this.box.clientHeight * 0.9) / up));
    const zoom = Math.log2(scale);
    this.view = { target: [(left + right) / 2 + LEGEND / 2 / scale, (bottom + top) / 2, 0], zoom, minZoom: zoom - 2, maxZoom: zoom + 12 };
    this.draw();
    this.events.moved();
  }

  zoom(by: number): void {
    const zoom = Math.min(this.view.maxZoom ?? 30, Math.max(this.view.minZoom ?? -20, Number(this.view.zoom) + by));
    this.view = { ...this.view, zoom };
    this.draw();
    this.events.moved();
  }

  /** Bring a doubt into sight where it is not. */
  reveal(id: number): void {
    const place = this.onScreen(id);
    if (!place) return;
    const [x, y] = place;
    const inside = x > 20 && y > 20 && x < this.box.clientWidth - 20 && y < this.box.clientHeight - 20;
    if (inside) return;
    this.view = { ...this.view, target: [this.x[id], this.y[id], 0] };
    this.draw();
    this.events.moved();
  }

  /** Where a doubt is, in pixels from the top left; null where it has no place. */
  onScreen(id: number): [number, number] | null {
    if (!Number.isFinite(this.x[id]) || !Number.isFinite(this.y[id])) return null;
    const scale = 2 ** Number(this.view.zoom);
    const [cx, cy] = this.view.target as [number, number];
    return [
      this.box.clientWidth / 2 + (this.x[id] - cx) * scale,
      this.box.clientHeight / 2 - (this.y[id] - cy) * scale,
    ];
  }

  private inWorld([px, py]: [number, number]): [number, number] {
    const scale = 2 ** Number(this.view.zoom);
    const [cx, cy] = this.view.target as [number, number];
    return [cx + (px - this.box.clientWidth / 2) / scale, cy - (py - this.box.clientHeight / 2) / scale];
  }

  /** The doubt nearest to a place on the screen, of those that are wanted; null where none is near. */
  at(px: number, py: number, wanted: (id: number) => boolean): number | null {
    if (!this.index || !this.order.length) return null;
    const [x, y] = this.inWorld([px, py]);
    const radius = NEAR / 2 ** Number(this.view.zoom);
    let best: number | null = null;
    let least = Number.POSITIVE_INFINITY;
    for (const place of this.index.within(x, y, radius)) {
      const id = this.order[place];
      const away = (this.x[id] - x) ** 2 + (this.y[id] - y) ** 2;
      if (away < least && wanted(id)) [best, least] = [id, away];
    }
    return best;
  }

  /** The doubts inside of a line that was drawn around them, given in pixels. */
  inside(line: [number, number][], wanted: (id: number) => boolean): number[] {
    if (!this.index || line.length < 3) return [];
    const corners = line.map((corner) => this.inWorld(corner));
    const xs = corners.map(([x]) => x);
    const ys = corners.map(([, y]) => y);
    const found: number[] = [];
    for (const place of this.index.range(Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys))) {
      const id = this.order[place];
      if (id !== undefined && wanted(id) && within(this.x[id], this.y[id], corners)) found.push(id);
    }
    return found.sort((a, b) => a - b);
  }

  // -- drawing --------------------------------------------------------------------------------------------------

  private move(view: OrthographicViewState): void {
    this.view = view;
    if (!this.moving) {
      this.moving = true;
      this.lastFrame = 0;
    }
    this.settleLater();
    this.draw();
    this.events.moved();
  }

  /** All points again when it rests; a drag that is held still is no rest, nor is the wait for a slow frame. */
  private settleLater(): void {
    window.clearTimeout(this.rest);
    this.rest = window.setTimeout(() => {
      if (this.dragging) return this.settleLater();
      this.moving = false;
      this.draw();
    }, Math.max(REST, 2 * this.slowest));
  }

  private draw(): void {
    const all = this.order.length;
    const shown = this.moving ? Math.min(all, Math.floor(this.budget)) : all;
    const growth = Number(this.view.zoom) - Number(this.view.minZoom ?? 0) - 2;
    const size = Math.min(10, (all > 30_000 ? 3 : all > 5_000 ? 4 : 6) + Math.max(0, growth) * 0.7);
    this.deck.setProps({
      viewState: this.view,
      layers: all
        ? [new PointsLayer({
            id: "points", positions: this.positions, colours: this.colours, size, shown,
            parameters: { depthCompare: "always", depthWriteEnabled: false },
          })]
        : [],
    });
  }

  /** After each frame: fewer points in the next while the machine cannot keep up. */
  private drawn(): void {
    this.frames++;
    this.canvas.dataset.frames = String(this.frames);
    if (!this.moving) return;
    const now = performance.now();
    const took = now - this.lastFrame;
    this.slowest = this.lastFrame ? Math.min(2000, took) : 0;
    if (this.lastFrame) {
      if (this.budget > this.order.length) this.budget = this.order.length;
      if (took > SLOW) this.budget = Math.max(FEWEST, this.budget * Math.max(0.3, FAST / took));
      else if (took < FAST) this.budget = Math.min(this.order.length, this.budget * 1.03);
    }
    this.lastFrame = now;
    this.canvas.dataset.shown = String(Math.min(this.order.length, Math.floor(this.budget)));
  }
}

/** The background of an element as red, green, blue, alpha up to 255. */
function ground(box: HTMLElement): [number, number, number, number] {
  const found = getComputedStyle(box).backgroundColor.match(/[\d.]+/g)?.map(Number) ?? [];
  const [red, green, blue] = found.length >= 3 ? found : [246, 246, 243];
  return [red, green, blue, 255];
}

/** In random order, the same each time: any number of points from the start is a fair sample. */
function shuffled(values: Uint32Array): Uint32Array {
  let state = 0x2f6e2b1;
  for (let last = values.length - 1; last > 0; last--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const other = Math.floor((state / 2 ** 32) * (last + 1));
    [values[last], values[other]] = [values[other], values[last]];
  }
  return values;
}

/** Smallest and largest of some values, without the outermost two in a thousand, which would make all others small. */
function ends(values: Float32Array, ids: Uint32Array): [number, number] {
  const sorted = Float32Array.from(ids, (id) => values[id]).sort();
  const cut = sorted.length > 1000 ? Math.floor(sorted.length * 0.001) : 0;
  return [sorted[cut], sorted[sorted.length - 1 - cut]];
}

/** Whether a point is inside of a closed line, by the number of its sides to the right. */
function within(x: number, y: number, corners: [number, number][]): boolean {
  let inside = false;
  for (let i = 0, j = corners.length - 1; i < corners.length; j = i++) {
    const [xi, yi] = corners[i];
    const [xj, yj] = corners[j];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}
