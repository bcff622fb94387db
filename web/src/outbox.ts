// Decisions on their way. Each stands here from the key press until the server has it on its disk. What gets no
// answer is sent again, in order, with the same key, so that the server keeps it once; it survives a reload.

import type { Api, Filter, Saved, Wish, Action } from "./api";
import { Refusal } from "./api";

export interface Sending {
  key: string;
  path: "/api/decisions" | "/api/bulk" | "/api/undo";
  body: { key: string; items?: Wish[]; filter?: Filter; action?: Action; category?: string; expect?: number };
  words: string; // for the person: what is being kept
  tries: number;
  problem: string; // why it is not kept yet
}

export interface Outcome {
  sending: Sending;
  saved?: Saved & { undone?: number[] };
  refused?: Refusal;
}

const FIRST_WAIT = 500; // milliseconds, doubled at each failure
const LONGEST_WAIT = 5000;

export class Outbox {
  waiting: Sending[] = [];
  private busy = false;
  private timer = 0;

  constructor(
    private readonly api: Api,
    private readonly name: string,
    private readonly changed: () => void,
    private readonly done: (outcome: Outcome) => void,
  ) {
    try {
      this.waiting = JSON.parse(sessionStorage.getItem(name) ?? "[]") as Sending[];
    } catch {
      this.waiting = [];
    }
    if (this.waiting.length) void this.work();
  }

  add(path: Sending["path"], body: Omit<Sending["body"], "key">, words: string): void {
    const key = newKey();
    this.waiting.push({ key, path, body: { key, ...body }, words, tries: 0, problem: "" });
    this.keep();
    void this.work();
  }

  /** Try at once, not after the wait. */
  retry(): void {
    clearTimeout(this.timer);
    void this.work();
  }

  /** The wish about a product that is still on its way. */
  wishFor(id: number): Wish | undefined {
    for (let i = this.waiting.length - 1; i >= 0; i--) {
      const found = this.waiting[i].body.items?.find((wish) => wish.id === id);
      if (found) return found;
    }
    return undefined;
  }

  private keep(): void {
    try {
      sessionStorage.setItem(this.name, JSON.stringify(this.waiting));
    } catch {
      // a full store: what waits still stands in memory
    }
    this.changed();
  }

  private async work(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    try {
      while (this.waiting.length) {
        if (!(await this.sendFirst())) return;
      }
    } finally {
      this.busy = false;
    }
  }

  private async sendFirst(): Promise<boolean> {
    const first = this.waiting[0];
    try {
      const saved = await this.api.post<Saved>(first.path, first.body);
      this.waiting.shift();
      this.keep();
      this.done({ sending: first, saved });
      return true;
    } catch (error) {
      const refusal = error instanceof Refusal ? error : new Refusal(0, "page", String(error));
      if (!refusal.passing) {
        this.waiting.shift();
        this.keep();
        this.done({ sending: first, refused: refusal });
        return true;
      }
      first.tries += 1;
      first.problem = refusal.message;
      this.keep();
      const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** (first.tries - 1));
      clearTimeout(this.timer);
      this.timer = window.setTimeout(() => void this.work(), wait);
      return false;
    }
  }
}

/** A name that no other request has. `randomUUID` is only there on https and on this machine. */
function newKey(): string {
  if (typeof crypto.randomUUID === "function") return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
