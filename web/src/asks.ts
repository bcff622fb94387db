// What the page asks and says: dialogs, messages, and a decision in words.

import type { Action, Filter, Item, Wish } from "./api";

export interface Toast {
  id: number;
  text: string;
  tone: "good" | "bad" | "plain";
  open?: number; // a product that it is about
}

export interface BulkAsk {
  title: string;
  action: Action;
  category?: string;
  count: number;
  items?: Wish[];
  filter?: Filter;
}

export type Dialog = "" | "picker" | "pick-bulk" | "help" | "progress" | "name" | "unsaved" | "bulk";

/** What a decision does, for the list of those that are not saved yet and for messages. */
export function inWords(action: Action, line: Item, leaf: (category: string | null) => string, category?: string): string {
  const title = `“${line.title.slice(0, 60)}”`;
  const said: Record<Action, string> = {
    accept: `${title} to ${leaf(line.suggested)}`,
    move: `${title} to ${leaf(category ?? line.suggested)}`,
    keep: `${title} stays on ${leaf(line.given)}`,
    unsure: `${title}: unsure`,
    skip: `${title}: skipped`,
  };
  return said[action];
}
