// One product: what it is, where it stands, where it should stand and why, and the decision about it.

import { useEffect, useMemo, useState } from "preact/hooks";
import type { Item, Near, Product } from "./api";
import { Button, Doubt, Key, Path, Picture, StateMark } from "./bits";
import { useStill, useStore } from "./context";
import { count, percent, plural, safeLink, shared, told } from "./paths";

export function ProductPane() {
  const store = useStore();
  const line = store.line();
  const product = store.product();
  // The same element as long as it is the same product: decisions and others' work do not draw all of it anew.
  const details = useMemo(() => product && <Details product={product} />, [product]);
  if (store.current === null || !line) {
    const failed = store.current === null ? "" : (store.products.failed.get(store.current) ?? "Loading …");
    return (
      <section class="product nothing" aria-label="Product">
        <p>{failed || (store.rows.total === 0 && store.rows.loaded ? "No product to show." : "Choose a product.")}</p>
      </section>
    );
  }
  return (
    <section class="product" aria-label="Product" data-id={line.id} key={line.id}>
      <Decide line={line} />
      {details ?? <p class="waiting">{store.products.failed.get(line.id) ?? "Loading …"}</p>}
    </section>
  );
}

/** Given and suggested shelf, and the buttons. It is there before the rest has come. */
function Decide({ line }: { line: Item }) {
  const store = useStore();
  const { can_decide, judged } = store.about;
  const given = line.given_path ?? store.path(line.given);
  const suggested = line.suggested_path ?? store.path(line.suggested);
  const both = Math.max(0, Math.min(shared(given, suggested), Math.min(given.length, suggested.length) - 1));
  const common = judged ? both : given.length;
  const saving = store.outbox.wishFor(line.id);
  const confidence = store.product()?.confidence;
  return (
    <div class="decide">
      <div class="heading">
        <h2>{line.title || line.product_id}</h2>
        <div class="steps">
          <button type="button" class="round" aria-label="Previous product (arrow up)" onClick={() => store.step(-1)}>↑</button>
          <button type="button" class="round" aria-label="Next product (arrow down)" onClick={() => store.step(1)}>↓</button>
        </div>
      </div>
      <dl class="shelves">
        <dt>{judged ? "Given" : "Shelf"}</dt>
        <dd>{line.given === null ? <span class="none">none</span> : <Path path={given} common={common} />}</dd>
        {judged && <dt>Suggested</dt>}
        {judged && (
          <dd class="suggested">
            <Path path={suggested} common={common} />
            {confidence !== null && confidence !== undefined && <span class="sure">{percent(confidence)} sure</span>}
          </dd>
        )}
      </dl>
      <div class="facts">
        <Doubt value={line.doubt} learn={line.given === null} wide />
        <span class={`kind ${line.kind}`}>{line.kind}</span>
        {judged && line.given !== null && (
          <span>{line.distance === 0 ? "same shelf" : `${plural(line.distance, "step")} apart in the tree`}</span>
        )}
        <StateMark state={line.state} saving={Boolean(saving)} />
        {line.state !== "open" && line.decision !== null && <span>now on <strong>{store.path(line.decision).join(" › ")}</strong></span>}
      </div>
      {can_decide && (
        <div class="actions" role="group" aria-label="Decision">
          <Button tone="main" keyName="A" onClick={() => store.decide("accept")} title="The suggested shelf is right (A or Enter)">
            Accept suggestion
          </Button>
          {line.given !== null && (
            <Button keyName="K" onClick={() => store.decide("keep")} title="The given shelf is right">Keep</Button>
          )}
          <Button keyName="O" onClick={() => store.show("picker")} title="Choose another shelf (O or /)">Other shelf …</Button>
          <Button keyName="U" onClick={() => store.decide("unsure")} title="I cannot tell">Unsure</Button>
          <Button keyName="S" onClick={() => store.decide("skip")} title="Later (S or arrow right)">Skip</Button>
          <Button tone="quiet" keyName="Z" onClick={() => store.undo()} title="Undo the last decision (Z or Ctrl+Z)">Undo</Button>
          <SellerPair line={line} />
        </div>
      )}
    </div>
  );
}

const DWELL = 350; // milliseconds on a product before others like it are counted
const MOST = 2000; // that are looked through

/** "All 40 of this seller from A to B": there when others have the same seller, given and suggested shelf. */
function SellerPair({ line }: { line: Item }) {
  const store = useStore();
  const [ids, setIds] = useState<number[]>([]);
  useEffect(() => {
    setIds([]);
    const { given } = line;
    if (!line.seller || given === null || given === line.suggested) return undefined;
    const stop = new AbortController();
    const look = async () => {
      const found: number[] = [];
      for (let offset = 0, total = 1; offset < Math.min(total, MOST); offset += 200) {
        const query = new URLSearchParams({
          seller: line.seller, shelf: given, role: "given", state: "open", limit: "200", offset: String(offset),
        });
        const page = await store.api.get<{ total: number; items: Item[] }>(`/api/doubts?${query}`, stop.signal);
        total = page.total;
        for (const item of page.items) {
          if (item.given === given && item.suggested === line.suggested) found.push(item.id);
        }
      }
      setIds(found);
    };
    const timer = window.setTimeout(() => void look().catch(() => undefined), DWELL);
    return () => {
      window.clearTimeout(timer);
      stop.abort();
    };
  }, [line.id, line.seller, line.given, line.suggested, store.seq]);
  if (ids.length < 2) return null;
  const title = `all of ${line.seller} from ${store.leaf(line.given)} to ${store.leaf(line.suggested)}`;
  return (
    <Button onClick={() => store.askBulk({ title, action: "accept", count: ids.length, items: ids.map((id) => ({ id, action: "accept" })) })}>
      All {count(ids.length)} of {line.seller} from {store.leaf(line.given)} to {store.leaf(line.suggested)} …
    </Button>
  );
}

function Details({ product }: { product: Product }) {
  const store = useStill();
  const { judged } = store.about;
  return (
    <div class="details">
      {product.gone && <p class="banner">The catalogue no longer has this product; only the doubt is known.</p>}
      <div class="columns">
        <div class="look">
          {(product.pictures.length ? product.pictures : [null]).map((address, number) => (
            <Picture key={address ?? number} address={address} size={640} class="large"
              alt={product.pictures.length > 1 ? `Picture ${number + 1} of ${product.title}` : `Picture of ${product.title}`} />
          ))}
          <Candidates product={product} />
        </div>
        <div class="tell">
          {product.reasons.length > 0 && (
            <section aria-label="Reasons">
              <h3>{product.given === null ? "Why its shelf would teach much" : "Why it is doubted"}</h3>
              <ul class="reasons">
                {product.reasons.map((reason, number) => <li key={number}>{reason}</li>)}
              </ul>
              {product.doubt !== null && Math.abs(product.doubt - product.doubt_before) >= 0.005 && (
                <p class="note">The doubt was {percent(product.doubt_before)} before your decisions on its neighbours.</p>
              )}
            </section>
          )}
          {product.description && (
            <section aria-label="Description">
              <h3>Description</h3>
              <p class="description">{product.description}</p>
            </section>
          )}
          <Facts product={product} />
        </div>
      </div>
      {judged && (
        <div class="columns nearest">
          {product.given !== null && (
            <Nearest title="Nearest on the given shelf" path={product.given} near={product.neighbours.given} />
          )}
          {product.suggested !== null && (
            <Nearest title="Nearest on the suggested shelf" path={product.suggested} near={product.neighbours.suggested} />
          )}
        </div>
      )}
      {(product.neighbours.other?.length ?? 0) > 0 && (
        <Nearest title={judged ? "Nearest elsewhere" : "Nearest products"} near={product.neighbours.other ?? []} />
      )}
      {product.history.length > 0 && (
        <section aria-label="History">
          <h3>History</h3>
          <ol class="history">
            {product.history.map((past) => (
              <li key={past.seq} class={past.undone ? "undone" : ""}>
                <time dateTime={past.at}>{when(past.at)}</time> <b>{past.who}</b> {said(past.action)}
                {past.category !== null && <> {store.path(past.category).join(" › ")}</>}
                {past.undone && <i> (undone)</i>}
              </li>
            ))}
          </ol>
        </section>
      )}
    </div>
  );
}

function Facts({ product }: { product: Product }) {
  const link = safeLink(product.url);
  return (
    <section aria-label="Attributes">
      <h3>Facts</h3>
      <table class="facts-table">
        <tbody>
          <Fact name="Id" value={product.product_id} />
          <Fact name="Seller" value={product.seller} />
          <Fact name="Brand" value={product.brand} />
          {product.attributes.map(([name, value], number) => <Fact key={number} name={name} value={value} />)}
          {product.url && (
            <tr>
              <th scope="row">Page</th>
              <td>
                {link ? <a href={link} target="_blank" rel="noopener noreferrer nofollow">{product.url}</a> : <span>{product.url}</span>}
              </td>
            </tr>
          )}
        </tbody>
      </table>
    </section>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  if (!value) return null;
  return (
    <tr>
      <th scope="row">{name}</th>
      <td>{value}</td>
    </tr>
  );
}

function Candidates({ product }: { product: Product }) {
  const store = useStill();
  if (!product.candidates.length) return null;
  const listed = product.candidates.slice(0, 9);
  const called = told(listed.map((candidate) => store.path(candidate.category)));
  return (
    <section aria-label="Candidates of the model">
      <h3>The model's candidates</h3>
      <ol class="candidates">
        {listed.map((candidate, number) => (
          <li key={candidate.category}>
            <button type="button" disabled={!store.about.can_decide} aria-keyshortcuts={String(number + 1)}
              onClick={() => store.choose(candidate.category)} title={store.path(candidate.category).join(" › ")}>
              <Key>{String(number + 1)}</Key>
              <span class="name">
                {called[number]}
                {candidate.category === product.given && <i> (given)</i>}
              </span>
              <span class="bar" aria-hidden="true">
                <span class="amount" style={{ width: `${Math.round((candidate.confidence ?? 0) * 100)}%` }} />
              </span>
              <span class="number">{percent(candidate.confidence)}</span>
            </button>
          </li>
        ))}
      </ol>
    </section>
  );
}

function Nearest({ title, path, near }: { title: string; path?: string; near: Near[] }) {
  const store = useStill();
  return (
    <section class="near" aria-label={title}>
      <h3>
        {title} {path !== undefined && <span class="shelf-name">{store.leaf(path)}</span>}
      </h3>
      {near.length === 0 && <p class="note">None of the nearest products is here.</p>}
      <ul>
        {near.map((one) => (
          <li key={one.product_id}>
            <button type="button" disabled={one.id === null} onClick={() => one.id !== null && store.open(one.id)}
              title={one.id === null ? "" : "Open this product"}>
              <Picture address={one.picture} size={160} alt="" />
              <span class="words">
                <span class="title">{one.title || one.product_id}</span>
                <span class="note">
                  {percent(one.similarity)} alike
                  {path === undefined && ` · ${store.path(one.category).join(" › ") || "no shelf"}`}
                  {one.category_before !== undefined && one.category_before !== one.category && ` · now on ${store.leaf(one.category)}`}
                </span>
              </span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

const SAID: Record<string, string> = {
  accept: "accepted", keep: "kept", move: "moved it to", unsure: "was unsure", skip: "skipped it", undo: "took it back",
};

function said(action: string): string {
  return SAID[action] ?? action;
}

function when(at: string): string {
  const time = new Date(at);
  return Number.isNaN(time.getTime()) ? at : time.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}
