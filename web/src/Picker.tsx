// The picker: one shelf out of thousands. Search as one types, the model's candidates first, the tree to browse, and
// new shelves with a confirmation.

import type { TargetedKeyboardEvent } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Shelf, TreeNode } from "./api";
import { Button, Key } from "./bits";
import { useStore } from "./context";
import { Modal } from "./Modal";
import { count, percent, pieces, plural } from "./paths";

const JOINT = " > "; // between the names of `Shelf.text`, which the ranges of matches are about

/** The path of a shelf with what was typed emphasised. */
export function Matched({ shelf }: { shelf: Shelf }) {
  const text = shelf.text ?? shelf.path.join(JOINT);
  const leaf = text.length - (shelf.path.at(-1)?.length ?? 0);
  const above = shelf.matches.filter(([, end]) => end <= leaf);
  const inside = shelf.matches.filter(([start]) => start >= leaf).map(([start, end]): [number, number] => [start - leaf, end - leaf]);
  return (
    <span class="matched">
      <span class="leaf"><Marked text={text.slice(leaf)} ranges={inside} /></span>
      {leaf > 0 && <span class="above"><Marked text={text.slice(0, leaf - JOINT.length)} ranges={above} /></span>}
    </span>
  );
}

function Marked({ text, ranges }: { text: string; ranges: [number, number][] }) {
  return <>{pieces(text, ranges).map((piece, number) => (number % 2 ? <mark key={number}>{piece}</mark> : piece))}</>;
}

interface Props {
  title: string;
  product: number | null;
  onChoose: (category: string, isNew: boolean) => void;
  onClose: () => void;
}

export function Picker({ title, product, onChoose, onClose }: Props) {
  const store = useStore();
  const [text, setText] = useState("");
  const [{ found, sought }, setFound] = useState<{ found: Shelf[]; sought: string | null }>({ found: [], sought: null });
  const [problem, setProblem] = useState("");
  const [at, setAt] = useState(0);
  const [making, setMaking] = useState<string | null>(null);
  const asked = useRef(0);
  const entered = useRef(false); // Enter was pressed before the answer to what was typed had come
  const list = useRef<HTMLUListElement>(null);

  const take = (shelf: Shelf | undefined) => {
    if (shelf) onChoose(shelf.category, false);
    else if (text.trim()) setMaking(text.trim());
  };

  useEffect(() => {
    const number = ++asked.current;
    const query = new URLSearchParams({ q: text, limit: "60" });
    if (product !== null) query.set("product", String(product));
    store.api.get<{ items: Shelf[] }>(`/api/shelves?${query}`).then(
      ({ items }) => {
        if (number !== asked.current) return;
        setFound({ found: items, sought: text });
        setAt(0);
        setProblem("");
        if (entered.current) take(items[0]);
        entered.current = false;
      },
      (error: Error) => {
        if (number !== asked.current) return;
        setProblem(error.message);
        entered.current = false;
      },
    );
  }, [text, product]);
  useEffect(() => {
    list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" });
  }, [at, found]);

  const keys = (event: TargetedKeyboardEvent<HTMLInputElement>) => {
    if (event.isComposing) return;
    const move: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 };
    if (event.key in move) {
      event.preventDefault();
      setAt((before) => Math.min(found.length - 1, Math.max(0, before + move[event.key])));
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (sought === event.currentTarget.value) take(found[at]);
      else entered.current = true; // what is shown was found for other words: the first for these is meant
    }
  };
  const group = (place: number) => {
    const source = found[place].source === "model" ? "The model's candidates" : text.trim() ? "Found" : "Most used";
    const before = place > 0 && (found[place - 1].source === "model") === (found[place].source === "model");
    return before ? null : <li class="group" role="presentation">{source}</li>;
  };
  if (making !== null) {
    return <NewShelf typed={making} onClose={onClose} onBack={() => setMaking(null)} onMake={(category) => onChoose(category, true)} />;
  }
  return (
    <Modal title={title} class="picker" onClose={onClose}>
      <div class="ask">
        <input type="text" class="grow" placeholder="Type words of the shelf or of its path, in any order" aria-label="Find a shelf"
          role="combobox" aria-expanded="true" aria-controls="picker-list" id="picker-text" autofocus autocomplete="off" spellcheck={false}
          aria-activedescendant={found[at] ? `shelf-${at}` : undefined}
          value={text} onInput={(event) => { entered.current = false; setText(event.currentTarget.value); }} onKeyDown={keys} />
      </div>
      <div class="panes">
        <ul class="found" id="picker-list" role="listbox" aria-label="Shelves" aria-busy={sought !== text} ref={list}>
          {problem && <li class="note">{problem}</li>}
          {!problem && found.length === 0 && text.trim() && <li class="note">No shelf has all of these words.</li>}
          {found.map((shelf, place) => (
            <>
              {group(place)}
              <li key={shelf.category} id={`shelf-${place}`} role="option" aria-selected={place === at}
                onMouseMove={() => place !== at && setAt(place)} onClick={() => onChoose(shelf.category, false)}>
                <Matched shelf={shelf} />
                <span class="number">{shelf.confidence !== null ? percent(shelf.confidence) : count(shelf.products)}</span>
              </li>
            </>
          ))}
        </ul>
        <Tree onChoose={(category) => onChoose(category, false)} onNew={(path) => setMaking(path)} typed={text.trim()} />
      </div>
      <div class="foot">
        <span class="note"><Key>↑</Key> <Key>↓</Key> choose · <Key>Enter</Key> take it · <Key>Esc</Key> close</span>
        <span class="spacer" />
        <Button onClick={() => setMaking(text.trim())}>{text.trim() ? `New shelf “${text.trim()}” …` : "New shelf …"}</Button>
      </div>
    </Modal>
  );
}

interface Below {
  node: number;
  path: string[];
  children: TreeNode[];
}

/** The tree, one node at a time. */
function Tree({ onChoose, onNew, typed }: { onChoose: (category: string) => void; onNew: (path: string) => void; typed: string }) {
  const store = useStore();
  const [trail, setTrail] = useState([0]);
  const [below, setBelow] = useState<Below | null>(null);
  const node = trail.at(-1) ?? 0;
  useEffect(() => {
    let wanted = true;
    store.api.get<Below>(`/api/tree?node=${node}`).then((got) => wanted && setBelow(got), () => undefined);
    return () => { wanted = false; };
  }, [node]);
  if (!below) return <div class="tree" />;
  const joint = store.about.separator;
  return (
    <nav class="tree" aria-label="Browse the tree">
      <div class="trail">
        <button type="button" class="link" onClick={() => setTrail([0])} disabled={node === 0}>All shelves</button>
        {below.path.map((name, level) => (
          <span key={level}> › <button type="button" class="link" disabled={level === below.path.length - 1}
            onClick={() => setTrail(trail.slice(0, level + 2))}>{name}</button></span>
        ))}
      </div>
      <ul>
        {below.children.map((child) => (
          <li key={child.node}>
            <button type="button" class="branch" onClick={() => (child.children ? setTrail([...trail, child.node]) : child.category !== null && onChoose(child.category))}>
              <span class="name">{child.name}</span>
              <span class="number" title="Products">{count(child.products)}</span>
              <span class="more" aria-label={child.children ? plural(child.children, "shelf below", "shelves below") : ""}>{child.children ? "›" : ""}</span>
            </button>
            {child.children > 0 && child.category !== null && (
              <button type="button" class="link" onClick={() => child.category !== null && onChoose(child.category)}>take</button>
            )}
          </li>
        ))}
      </ul>
      {node !== 0 && joint && (
        <Button tone="quiet" onClick={() => onNew([...below.path, typed || ""].join(joint))}>
          {typed ? `New shelf “${typed}” here …` : "New shelf here …"}
        </Button>
      )}
    </nav>
  );
}

/** A new shelf is made only after its whole path was seen and confirmed. */
function NewShelf(props: { typed: string; onBack: () => void; onClose: () => void; onMake: (category: string) => void }) {
  const store = useStore();
  const [text, setText] = useState(props.typed);
  const [problem, setProblem] = useState("");
  const path = store.path(text.trim());
  const make = async () => {
    try {
      const { category } = await store.api.post<{ category: string }>("/api/shelves", { category: text.trim() });
      props.onMake(category);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  const joint = store.about.separator;
  return (
    <Modal title="New shelf" class="small" onClose={props.onClose}>
      <form onSubmit={(event) => { event.preventDefault(); void make(); }}>
        <label class="field">
          Name{joint ? `, with the names above it, “${joint.trim() || joint}” between them` : ""}
          <input value={text} autofocus id="new-shelf" onInput={(event) => setText(event.currentTarget.value)} />
        </label>
        <p>This shelf will be made: <strong>{text.trim() ? path.join(" › ") : "–"}</strong></p>
        {joint && path.length === 1 && text.trim() && <p class="note">It will stand at the top of the tree.</p>}
        {problem && <p class="banner bad" role="alert">{problem}</p>}
        <div class="foot">
          <Button tone="quiet" onClick={props.onBack}>Back</Button>
          <span class="spacer" />
          <button type="submit" class="button main" disabled={!text.trim()}>Make it and choose it</button>
        </div>
      </form>
    </Modal>
  );
}
