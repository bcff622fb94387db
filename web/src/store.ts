// The state of the page and everything that can be done to it. Components show it and call it; one notification
// redraws them.

import type { About, Action, Change, Filter, Item, Product, Progress, Wish } from "./api";
import { Api, EVERYTHING, Refusal } from "./api";
import { type Outcome, Outbox } from "./outbox";
import { names, plural } from "./paths";
import { type BulkAsk, type Dialog, type Toast, inWords } from "./asks";
import { Products } from "./products";
import { Rows } from "./rows";

const AHEAD = [1, 2, 3, 4]; // places after the current one that are fetched before they are asked for
const SOON = 250; // milliseconds after a decision until the list is fetched anew
const POLL = 2000; // milliseconds between two looks at what others did

export class Store {
  readonly api = new Api();
  readonly rows: Rows;
  readonly products: Products;
  outbox!: Outbox;
  about!: About;
  filter: Filter = { ...EVERYTHING };
  current: number | null = null;
  picked = new Set<number>();
  anchor = -1; // where a range of picks starts
  view: "list" | "map" = "list";
  dialog: Dialog = "";
  bulk: BulkAsk | null = null;
  progress: Progress | null = null;
  toasts: Toast[] = [];
  online = true;
  lasso: number[] = [];
  seq = 0;
  mapColour = "level1";
  mapWide = false; // the map without the product beside it
  mapVersion = 0; // counts changes that the map should show
  window: [number, number] = [0, 20]; // places of the list that are on the screen
  private place = 0; // of the current product, when it was last seen in the list
  private listeners = new Set<() => void>();
  private drawn = false;
  private toastCount = 0;
  private polling = 0;
  private reloading = 0;
  private looked = false; // whether the list was fetched before the first look at changes

  constructor() {
    this.rows = new Rows(this.api, this.filter, () => this.rowsChanged(), (error) => this.trouble(error));
    // What was fetched ahead is not on the screen yet.
    this.products = new Products(this.api, (id) => (id === this.current || this.view === "map") && this.notify());
    this.api.reviewer = localStorage.getItem("shelfwise.reviewer") ?? "";
    window.addEventListener("beforeunload", (event) => {
      if (this.outbox?.waiting.length) event.preventDefault();
    });
  }

  /** Ask what the page is about; the first lines are fetched at the same time. */
  async ready(): Promise<void> {
    const first = this.rows.narrow(this.filter);
    this.about = await this.api.about();
    document.title = `${this.about.title} · Shelfwise ${this.about.judged ? "review" : "explore"}`;
    const box = `shelfwise.outbox.${this.about.catalogue}.${this.about.title}.${this.about.products}`;
    this.outbox = new Outbox(this.api, box, () => this.notify(), (outcome) => this.settle(outcome));
    if (!this.api.reviewer && this.about.can_decide) this.dialog = "name";
    await first;
  }

  async start(): Promise<void> {
    const first = this.rows.items[0];
    if (first && this.current === null) this.open(first.id);
    await this.poll();
  }

  // -- redrawing ------------------------------------------------------------------------------------------------

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  notify(): void {
    if (this.drawn) return;
    this.drawn = true;
    queueMicrotask(() => {
      this.drawn = false;
      for (const listener of this.listeners) listener();
    });
  }

  /** Whether any product here has a shelf on which it could be kept. */
  get hasGiven(): boolean {
    return Object.keys(this.about.kinds).some((kind) => kind !== "unlabelled");
  }

  path(category: string | null): string[] {
    return category === null ? [] : names(category, this.about.separator);
  }

  leaf(category: string | null): string {
    return this.path(category).at(-1) ?? "";
  }

  // -- looking --------------------------------------------------------------------------------------------------

  setFilter(change: Partial<Filter>): void {
    this.filter = { ...this.filter, ...change };
    this.picked.clear();
    this.anchor = -1;
    const { filter } = this;
    void this.rows.narrow(filter).then(() => {
      if (this.filter !== filter) return;
      const first = this.rows.items[0];
      if (first && (this.current === null || this.rows.placeOf(this.current) < 0)) this.open(first.id);
      if (!this.rows.total && this.rows.loaded) this.current = null;
      this.notify();
    });
    this.notify();
  }

  clearFilter(): void {
    this.lasso = [];
    this.setFilter({ ...EVERYTHING });
  }

  hideNote(note: string): void {
    this.about.notes = this.about.notes.filter((one) => one !== note);
    this.notify();
  }

  open(id: number): void {
    this.current = id;
    const place = this.rows.placeOf(id);
    if (place >= 0) this.place = place;
    this.products.want(id);
    for (const ahead of AHEAD) {
      const next = this.rows.items[this.place + ahead];
      if (next) this.products.want(next.id);
    }
    this.rows.need(this.place, this.place + 10);
    this.notify();
  }

  product(): Product | undefined {
    return this.current === null ? undefined : this.products.get(this.current);
  }

  /** The line of the list for the current product, which is there before the product itself. */
  line(): Item | undefined {
    if (this.current === null) return undefined;
    return this.rows.items[this.rows.placeOf(this.current)] ?? this.products.get(this.current);
  }

  /** Go up or down the list. */
  step(by: number, extend = false): void {
    const from = this.current === null ? -1 : this.rows.placeOf(this.current);
    // A product that has left the list leaves its place to the next one.
    const target = from >= 0 ? from + by : by > 0 ? this.place : this.place - 1;
    const place = Math.min(Math.max(target, 0), this.rows.total - 1);
    const item = this.rows.items[place];
    if (!item) return;
    if (extend) this.pickRange(from < 0 ? place : from, place);
    this.open(item.id);
  }

  placeOfCurrent(): number {
    return this.current === null ? -1 : this.rows.placeOf(this.current);
  }

  // -- picking --------------------------------------------------------------------------------------------------

  pick(id: number): void {
    if (!this.picked.delete(id)) this.picked.add(id);
    this.anchor = this.rows.placeOf(id);
    this.notify();
  }

  pickRange(from: number, to: number): void {
    if (this.anchor < 0) this.anchor = from;
    const [first, last] = this.anchor < to ? [this.anchor, to] : [to, this.anchor];
    for (let place = first; place <= last; place++) {
      const item = this.rows.items[place];
      if (item) this.picked.add(item.id);
    }
    this.notify();
  }

  pickNone(): void {
    this.picked.clear();
    this.anchor = -1;
    this.notify();
  }

  /** Products that were encircled on the map become the list. */
  async select(ids: number[]): Promise<void> {
    this.lasso = ids;
    if (!ids.length) {
      this.setFilter({ selection: "" });
      return;
    }
    try {
      const { selection } = await this.api.post<{ selection: string }>("/api/selections", { ids });
      this.setFilter({ selection });
    } catch (error) {
      this.trouble(error);
    }
  }

  // -- deciding -------------------------------------------------------------------------------------------------

  decide(action: Action, category?: string, isNew = false): void {
    const line = this.line();
    if (!line || !this.about.can_decide || (action === "keep" && line.given === null)) return;
    if (action === "accept" && line.given === line.suggested) action = "keep";
    const wish: Wish = { id: line.id, action, ...(category ? { category } : {}), ...(isNew ? { new: true } : {}) };
    this.dialog = "";
    this.outbox.add("/api/decisions", { items: [wish] }, inWords(action, line, (shelf) => this.leaf(shelf), category));
    this.showAtOnce(wish, line);
  }

  /** The next product is shown before the server has answered. */
  private showAtOnce(wish: Wish, line: Item): void {
    const state = wish.action === "unsure" ? "unsure" : wish.action === "skip" ? "skipped" : "decided";
    const decision = { accept: line.suggested, keep: line.given, move: wish.category ?? null, unsure: null, skip: null };
    this.products.patch(wish.id, { state, decision: decision[wish.action] });
    this.picked.delete(wish.id);
    const place = this.rows.placeOf(wish.id);
    const following = this.rows.items[place + 1];
    if (this.filter.state !== "all" && this.filter.state !== state) {
      this.rows.remove(wish.id);
      this.place = Math.max(0, place);
    } else {
      this.rows.update(wish.id, { state, decision: decision[wish.action] });
    }
    // One that was opened from the map or as a neighbour stays; in the list the next one comes, or the one before.
    const next = place < 0 ? undefined : (following ?? this.rows.items[Math.max(0, place - 1)]);
    if (next) this.open(next.id);
    else if (place >= 0 && this.rows.total === 0) this.current = null;
    this.rows.need(place, place + 10);
    this.notify();
  }

  /** A shelf that was chosen by name: the suggested and the given one are what their buttons do. */
  choose(category: string, isNew = false): void {
    const line = this.line();
    if (!line) return;
    if (category === line.given) this.decide("keep");
    else if (category === line.suggested) this.decide("accept");
    else this.decide("move", category, isNew);
  }

  chooseForBulk(category: string): void {
    if (!this.bulk) return;
    const items = this.bulk.items?.map((wish): Wish => ({ id: wish.id, action: "move", category }));
    this.askBulk({ ...this.bulk, items, action: "move", category, title: `all to ${this.path(category).join(" › ")}` });
  }

  undo(): void {
    if (!this.about.can_decide) return;
    this.outbox.add("/api/undo", {}, "Undo");
  }

  /** First the shelf, then the confirmation. */
  pickBulk(ask: BulkAsk): void {
    this.bulk = ask;
    this.show("pick-bulk");
  }

  askBulk(ask: BulkAsk): void {
    this.bulk = ask;
    this.dialog = "bulk";
    this.notify();
  }

  /** A bulk decision that the person has confirmed. */
  sendBulk(): void {
    const ask = this.bulk;
    this.bulk = null;
    this.dialog = "";
    if (!ask) return;
    const said = `${plural(ask.count, "product")}: ${ask.title}`;
    if (ask.items) this.outbox.add("/api/decisions", { items: ask.items }, said);
    else {
      const { filter, action, category, count } = ask;
      this.outbox.add("/api/bulk", { filter, action, category, expect: count }, said);
    }
    this.pickNone();
  }

  private settle({ sending, saved, refused }: Outcome): void {
    if (refused) {
      const first = sending.body.items?.[0]?.id;
      this.toast(`Not kept: ${sending.words}. ${refused.message}`, "bad", first);
      for (const wish of sending.body.items ?? []) this.products.forget(wish.id);
    } else if (saved) {
      this.online = true;
      if (saved.progress) this.progress = saved.progress;
      // Where nobody else has decided meanwhile, there is nothing that the next look at changes would tell.
      const own = saved.saved ?? saved.undone?.length ?? 0;
      if (saved.seq - own === this.seq) this.seq = saved.seq;
      this.tellSaved(sending.path, sending.words, saved);
    }
    window.clearTimeout(this.reloading);
    if (this.outbox.waiting.length) return this.notify();
    // After a single decision the next product comes first, then the list.
    const single = sending.path === "/api/decisions" && sending.body.items?.length === 1 && !refused;
    if (!single) return this.reload();
    this.reloading = window.setTimeout(() => this.reload(), SOON);
    this.notify();
  }

  private tellSaved(path: string, words: string, saved: NonNullable<Outcome["saved"]>): void {
    if (path === "/api/undo") {
      const undone = saved.undone ?? [];
      if (!undone.length) return this.toast("There is nothing to undo.", "plain");
      for (const id of undone) this.products.forget(id);
      this.toast(`Undone: ${plural(undone.length, "decision")}.`, "good");
      this.open(undone[0]);
    } else if (path === "/api/bulk" || saved.saved > 1) {
      this.products.forgetAll();
      this.toast(`${words} – kept.`, "good");
    }
    for (const other of saved.conflicts ?? []) {
      const theirs = other.category === null ? "left it open" : `chose ${this.leaf(other.category)}`;
      this.toast(`${other.who} ${theirs} for this product; your decision counts as the latest.`, "plain", other.id);
    }
  }

  /** Fetch anew what is on the screen: doubts change with every decision. */
  reload(): void {
    if (this.outbox.waiting.length) return;
    this.rows.refresh(this.window[0], this.window[1]);
    if (this.current !== null) this.products.renew(this.current);
    this.mapVersion++;
    this.notify();
  }

  // -- others ---------------------------------------------------------------------------------------------------

  private async poll(): Promise<void> {
    window.clearTimeout(this.polling);
    try {
      const found = await this.api.get<{ seq: number; items: Change[]; progress: Progress }>(
        `/api/changes?since=${this.seq}`,
      );
      const known = this.looked;
      this.looked = true;
      const back = !this.online;
      this.online = true;
      this.progress = found.progress;
      if (back) {
        await this.api.about();
        this.outbox.retry();
      }
      if (found.seq > this.seq || back) this.takeChanges(found.items, known || back);
      this.seq = Math.max(this.seq, found.seq);
    } catch (error) {
      this.trouble(error);
    } finally {
      this.notify();
      this.polling = window.setTimeout(() => void this.poll(), this.online ? POLL : POLL / 2);
    }
  }

  private takeChanges(items: Change[], reload: boolean): void {
    for (const change of items) {
      if (this.outbox.wishFor(change.id)) continue;
      this.rows.update(change.id, { state: change.state, decision: change.decision, doubt: change.doubt });
      this.products.patch(change.id, { state: change.state, decision: change.decision, doubt: change.doubt });
    }
    if (reload && !this.outbox.waiting.length) this.reload();
  }

  private rowsChanged(): void {
    const place = this.placeOfCurrent();
    if (place >= 0) {
      this.place = place;
      for (const ahead of AHEAD) {
        const next = this.rows.items[place + ahead];
        if (next) this.products.want(next.id);
      }
    } else if (this.current === null && this.rows.items[0]) this.open(this.rows.items[0].id);
    this.notify();
  }

  private trouble(error: unknown): void {
    if (!(error instanceof Refusal)) throw error;
    if (error.status === 0) this.online = false;
    else if (error.code === "selection" && this.lasso.length) void this.select(this.lasso);
    else this.toast(error.message, "bad");
    this.notify();
  }

  toast(text: string, tone: Toast["tone"], open?: number): void {
    const id = ++this.toastCount;
    this.toasts = [...this.toasts.filter((one) => one.text !== text), { id, text, tone, open }].slice(-4);
    if (tone !== "bad") window.setTimeout(() => this.dismiss(id), 5000);
    this.notify();
  }

  dismiss(id: number): void {
    this.toasts = this.toasts.filter((toast) => toast.id !== id);
    this.notify();
  }

  show(dialog: Dialog): void {
    this.dialog = dialog;
    this.notify();
  }

  setView(view: "list" | "map"): void {
    this.view = view;
    this.notify();
  }

  widen(): void {
    this.mapWide = !this.mapWide;
    this.notify();
  }

  setReviewer(name: string): void {
    this.api.reviewer = name.trim() || "reviewer";
    localStorage.setItem("shelfwise.reviewer", this.api.reviewer);
    this.show("");
  }
}
