// Small parts that many others show: keys, doubt as a bar, pictures, paths. Text of products is always a text node.

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { State } from "./api";
import { percent, shared } from "./paths";
import { sized } from "./products";

export function Key({ children }: { children: string }) {
  return <kbd aria-hidden="true">{children}</kbd>;
}

const TONES = ["low", "fair", "high"] as const;

/** A doubt, or with `learn` how much a product's shelf would teach; nothing where nothing was judged. */
export function Doubt({ value, wide = false, learn = false }: { value: number | null; wide?: boolean; learn?: boolean }) {
  if (value === null) return null;
  const tone = TONES[value >= 0.75 ? 2 : value >= 0.4 ? 1 : 0];
  const what = learn ? "To be learned" : "Doubt";
  return (
    <span class={wide ? "doubt wide" : "doubt"} title={`${what}: ${percent(value)}`}>
      <span class="bar" aria-hidden="true">
        <span class={`amount ${tone}`} style={{ width: `${Math.round(value * 100)}%` }} />
      </span>
      <span class="number">
        <span class="unseen">{what.toLowerCase()} </span>
        {percent(value)}
      </span>
    </span>
  );
}

/** A picture of a product, or an empty frame; what cannot be loaded is an empty frame, too. */
export function Picture(props: { address: string | null; size: 160 | 640; alt: string; class?: string }) {
  const [broken, setBroken] = useState("");
  const address = props.address ? sized(props.address, props.size) : "";
  if (!address || broken === address) {
    return (
      <span class={`frame empty ${props.class ?? ""}`} role="img" aria-label={`${props.alt}: no picture`}>
        <svg viewBox="0 0 24 24" aria-hidden="true">
          <path d="M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4" />
        </svg>
      </span>
    );
  }
  return (
    <span class={`frame ${props.class ?? ""}`}>
      <img src={address} alt={props.alt} decoding="async" onError={() => setBroken(address)} />
    </span>
  );
}

/** A path as breadcrumbs; names from `common` on are what differs, and stand out. */
export function Path({ path, common = 0 }: { path: string[]; common?: number }) {
  return (
    <span class="path">
      {path.map((name, level) => (
        <span key={level}>
          {level > 0 && <span class="step"> › </span>}
          <span class={level < common ? "same" : "differs"}>{name}</span>
        </span>
      ))}
    </span>
  );
}

/** What differs between two paths; of the only one all, "none" where there is none. */
export function TwoPaths({ given, suggested }: { given: string[]; suggested: string[] }) {
  if (!given.length || !suggested.length) {
    const only = suggested.length ? suggested : given;
    return (
      <span class="two" title={only.join(" › ")}>
        {suggested.length > 0 && <span class="arrow">→ </span>}
        <span class={suggested.length ? "to" : "from"}>{only.join(" › ") || "no shelf"}</span>
      </span>
    );
  }
  const common = shared(given, suggested);
  const from = given.slice(Math.min(common, given.length - 1)).join(" › ");
  const to = suggested.slice(Math.min(common, suggested.length - 1)).join(" › ");
  return (
    <span class="two" title={`${given.join(" › ")}\n→ ${suggested.join(" › ")}`}>
      <span class="from">{from}</span>
      <span class="arrow"> → </span>
      <span class="to">{to}</span>
    </span>
  );
}

const STATE_WORDS: Record<State, string> = { open: "open", decided: "decided", unsure: "unsure", skipped: "skipped" };

export function StateMark({ state, saving }: { state: State; saving?: boolean }) {
  if (saving) return <span class="mark saving">not saved yet</span>;
  if (state === "open") return null;
  return <span class={`mark ${state}`}>{STATE_WORDS[state]}</span>;
}

export function Button(props: {
  children: ComponentChildren;
  onClick: () => void;
  keyName?: string;
  tone?: "main" | "plain" | "quiet";
  title?: string;
  disabled?: boolean;
  pressed?: boolean;
}) {
  return (
    <button
      type="button"
      class={`button ${props.tone ?? "plain"}`}
      onClick={props.onClick}
      title={props.title}
      disabled={props.disabled}
      aria-pressed={props.pressed}
      aria-keyshortcuts={props.keyName}
    >
      {props.children}
      {props.keyName && <Key>{props.keyName}</Key>}
    </button>
  );
}
