// What the server of `shelfwise review` says and takes: types of the answers, and one class that asks.

export type Kind = string;
export type State = "open" | "decided" | "unsure" | "skipped";
export type Action = "accept" | "keep" | "move" | "unsure" | "skip";

export interface About {
  title: string;
  catalogue: string;
  products: number;
  kinds: Record<string, number>;
  levels: number;
  separator?: string | null;
  sellers: { name: string; count: number }[];
  has_pictures: boolean;
  has_map: boolean;
  model: string;
  token: string;
  version: string;
  can_decide: boolean;
  judged: boolean; // false: nothing is doubted and nothing suggested, one only looks
  decisions?: string;
  notes: string[];
}

export interface Item {
  id: number;
  product_id: string;
  title: string;
  picture: string | null;
  given: string | null; // null: it has no shelf
  given_path?: string[];
  suggested: string | null; // null: nothing was judged
  suggested_path?: string[];
  doubt: number | null;
  kind: Kind;
  distance: number;
  seller: string;
  state: State;
  decision: string | null;
}

export interface Near {
  id: number | null;
  product_id: string;
  title: string;
  picture: string | null;
  category: string | null; // null: it has no shelf
  category_before?: string | null;
  similarity: number | null;
}

export interface Past {
  seq: number;
  at: string;
  who: string;
  action: string;
  category: string | null;
  undone: boolean;
}

export interface Product extends Item {
  row: number;
  gone?: boolean;
  description: string;
  attributes: [string, string][];
  brand: string;
  url: string;
  pictures: string[];
  doubt_before: number;
  confidence?: number | null;
  reasons: string[];
  candidates: { category: string; confidence: number | null }[];
  neighbours: { given: Near[]; suggested: Near[]; other?: Near[] };
  history: Past[];
}

export interface Shelf {
  category: string;
  path: string[];
  text?: string;
  products: number;
  source: "model" | "search";
  confidence: number | null;
  matches: [number, number][];
}

export interface TreeNode {
  node: number;
  name: string;
  category: string | null;
  products: number;
  doubts_open: number;
  children: number;
}

export interface Progress {
  products: number;
  open: number;
  decided: number;
  by_action: Record<string, number>;
  by_reviewer: { who: string; decided: number; per_hour: number }[];
  agreement: { both: number; same: number; share: number | null };
  moved_pairs: { from: string; to: string; count: number }[]; // from "": they had no shelf
}

export interface Filter {
  kind: string;
  shelf: string;
  role: "given" | "suggested" | "either";
  seller: string;
  least: number;
  most: number;
  state: State | "all";
  text: string;
  selection: string;
}

export interface Wish {
  id: number;
  action: Action;
  category?: string;
  new?: boolean;
}

export interface Saved {
  saved: number;
  seq: number;
  conflicts: { id: number; who: string; category: string | null }[];
  progress: Progress;
}

export interface Change {
  id: number;
  state: State;
  decision: string | null;
  doubt: number;
  who: string | null;
}

export interface Legend {
  kind: "category" | "scale";
  names: string[];
  counts?: number[];
  largest?: number;
}

export const EVERYTHING: Filter = {
  kind: "", shelf: "", role: "either", seller: "", least: 0, most: 1, state: "open", text: "", selection: "",
};

/** An answer that is none: `status` 0 where the server did not answer at all. */
export class Refusal extends Error {
  constructor(readonly status: number, readonly code: string, message: string) {
    super(message);
  }

  /** Whether the same request may succeed later: no answer, a busy or failing server. */
  get passing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

export function inQuery(filter: Filter): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(filter)) {
    if (value !== EVERYTHING[name as keyof Filter] || name === "state") query.set(name, String(value));
  }
  return query;
}

const PATIENCE = 15_000; // milliseconds that an answer may take

/** Asks the server; carries the token and the reviewer's name. */
export class Api {
  token = "";
  reviewer = "reviewer";
  private opened = ""; // what the page was opened for

  /** What is served here; Refusal where that is no longer what the page was opened for. */
  async about(): Promise<About> {
    const about = await this.get<About>("/api/about");
    const what = `${about.catalogue}\n${about.title}\n${about.products}`;
    if (this.opened && this.opened !== what) {
      throw new Refusal(409, "another", "The server shows another catalogue by now. Load the page again.");
    }
    this.opened = what;
    this.token = about.token;
    return about;
  }

  get<T>(path: string, signal?: AbortSignal): Promise<T> {
    return this.ask(path, { signal }, (answer) => answer.json() as Promise<T>);
  }

  bytes(path: string): Promise<ArrayBuffer> {
    return this.ask(path, {}, (answer) => answer.arrayBuffer());
  }

  /** Sends; a server that was started anew has another token, so that one is fetched and it is sent once more. */
  async post<T>(path: string, body: unknown): Promise<T> {
    try {
      return await this.send<T>(path, body);
    } catch (error) {
      if (!(error instanceof Refusal) || error.code !== "token") throw error;
      await this.about();
      return this.send<T>(path, body);
    }
  }

  private send<T>(path: string, body: unknown): Promise<T> {
    const headers = { "Content-Type": "application/json", "X-Shelfwise": this.token };
    const options = { method: "POST", headers, body: JSON.stringify(body) };
    return this.ask(path, options, (answer) => answer.json() as Promise<T>);
  }

  /** An answer, read to its end: one that breaks off is none, too. */
  private async ask<T>(path: string, options: RequestInit, read: (answer: Response) => Promise<T>): Promise<T> {
    const patience = AbortSignal.timeout(PATIENCE);
    const signal = options.signal ? AbortSignal.any([options.signal, patience]) : patience;
    const headers = { ...options.headers, "X-Reviewer": encodeURIComponent(this.reviewer) };
    let answer: Response;
    try {
      answer = await fetch(path, { ...options, headers, signal });
      if (answer.ok) return await read(answer);
    } catch (error) {
      if (options.signal?.aborted) throw error;
      throw new Refusal(0, "gone", "The server does not answer.");
    }
    let told: { error?: { code?: string; message?: string } } = {};
    try {
      told = await answer.json();
    } catch {
      // no JSON: the status has to do
    }
    const message = told.error?.message ?? `The server answered ${answer.status}.`;
    throw new Refusal(answer.status, told.error?.code ?? "", message);
  }
}
