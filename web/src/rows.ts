// The list of doubts as far as it is known: only what was looked at is fetched, in pages, and kept by place.

import type { Api, Filter, Item } from "./api";
import { inQuery } from "./api";

const PAGE = 50;

export class Rows {
  total = 0;
  loaded = false;
  failed = "";
  items: (Item | undefined)[] = [];
  private stale = new Set<number>();
  private asked = new Map<number, AbortController>();
  private generation = 0;

  constructor(
    private readonly api: Api,
    public filter: Filter,
    private readonly changed: () => void,
    private readonly trouble: (error: unknown) => void,
  ) {}

  /** Start anew, with another filter. */
  narrow(filter: Filter): Promise<void> {
    this.filter = filter;
    this.generation++;
    for (const one of this.asked.values()) one.abort();
    this.asked.clear();
    this.stale.clear();
    this.loaded = false;
    return this.fetchPage(0);
  }

  /** Everything may have moved: what is shown stays until it is fetched anew. */
  refresh(first: number, last: number): void {
    this.generation++;
    for (const one of this.asked.values()) one.abort();
    this.asked.clear();
    this.stale = new Set(Array.from({ length: Math.ceil(this.items.length / PAGE) }, (_, page) => page));
    if (!this.items.length) this.stale.add(0);
    this.need(first, last);
  }

  /** Fetch what is missing or stale between two places. */
  need(first: number, last: number): void {
    const end = Math.max(0, Math.min(last, Math.max(this.total - 1, 0)));
    for (let page = Math.floor(Math.max(0, first) / PAGE); page <= Math.floor(end / PAGE); page++) {
      if (this.asked.has(page)) continue;
      if (this.stale.has(page) || this.misses(page)) void this.fetchPage(page);
    }
  }

  placeOf(id: number): number {
    return this.items.findIndex((item) => item?.id === id);
  }

  /** Take a product off; those below move up, and the last page has one too few. */
  remove(id: number): void {
    const place = this.placeOf(id);
    if (place < 0) return;
    this.items.splice(place, 1);
    this.total = Math.max(0, this.total - 1);
  }

  update(id: number, change: Partial<Item>): void {
    const place = this.placeOf(id);
    const item = this.items[place];
    if (item) this.items[place] = { ...item, ...change };
  }

  private misses(page: number): boolean {
    const end = Math.min((page + 1) * PAGE, this.total);
    for (let place = page * PAGE; place < end; place++) if (!this.items[place]) return true;
    return false;
  }

  private async fetchPage(page: number): Promise<void> {
    const controller = new AbortController();
    this.asked.set(page, controller);
    const { generation } = this;
    const query = inQuery(this.filter);
    query.set("offset", String(page * PAGE));
    query.set("limit", String(PAGE));
    try {
      const path = `/api/doubts?${query.toString()}`;
      const found = await this.api.get<{ total: number; items: Item[] }>(path, controller.signal);
      if (generation !== this.generation) return;
      if (!this.loaded) this.items = [];
      this.loaded = true;
      this.failed = "";
      this.total = found.total;
      this.items.length = found.total;
      found.items.forEach((item, place) => (this.items[page * PAGE + place] = item));
      this.stale.delete(page);
    } catch (error) {
      if (controller.signal.aborted) return;
      this.failed = error instanceof Error ? error.message : String(error);
      this.trouble(error);
    } finally {
      if (this.asked.get(page) === controller) this.asked.delete(page);
      this.changed();
    }
  }
}
