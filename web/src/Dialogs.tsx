// Everything that opens in front of the page but the picker: bulk confirmation, progress, unsaved, name, help.

import { useEffect, useState } from "preact/hooks";
import type { Progress } from "./api";
import { Button } from "./bits";
import { useStore } from "./context";
import { Modal } from "./Modal";
import { count, percent, plural } from "./paths";
import { Picker } from "./Picker";

export function Dialogs() {
  const store = useStore();
  const close = () => store.show("");
  switch (store.dialog) {
    case "picker":
      return store.current === null ? null : (
        <Picker title="Other shelf" product={store.current} onClose={close} onChoose={(category, isNew) => store.choose(category, isNew)} />
      );
    case "pick-bulk":
      return (
        <Picker title={`Move ${plural(store.bulk?.count ?? 0, "product")} to …`} product={null} onClose={close}
          onChoose={(category) => store.chooseForBulk(category)} />
      );
    case "bulk":
      return <Bulk />;
    case "progress":
      return <ProgressPanel />;
    case "unsaved":
      return <Unsaved />;
    case "name":
      return <Name />;
    case "help":
      return <Help />;
    default:
      return null;
  }
}

function Bulk() {
  const store = useStore();
  const { bulk } = store;
  if (!bulk) return null;
  return (
    <Modal title={`Decide on ${plural(bulk.count, "product")}?`} class="small" onClose={() => store.show("")}>
      <p>
        <strong class="big">{count(bulk.count)}</strong> {bulk.count === 1 ? "product" : "products"}: {bulk.title}.
      </p>
      <p class="note">It is one step for Undo.</p>
      <div class="foot">
        <span class="spacer" />
        <Button tone="quiet" onClick={() => store.show("")}>Cancel</Button>
        <button type="button" class="button main" data-focus onClick={() => store.sendBulk()}>
          Decide on {plural(bulk.count, "product")}
        </button>
      </div>
    </Modal>
  );
}

const ACTIONS: Record<string, string> = {
  accept: "Suggestion accepted", keep: "Kept on the given shelf", move: "Moved to another shelf", unsure: "Unsure", skip: "Skipped",
};

function ProgressPanel() {
  const store = useStore();
  const [progress, setProgress] = useState<Progress | null>(store.progress);
  useEffect(() => {
    store.api.get<Progress>("/api/progress").then(setProgress, () => undefined);
  }, [store.seq]);
  return (
    <Modal title="Progress and agreement" class="wide" onClose={() => store.show("")}>
      {!progress ? <p>Loading …</p> : (
        <div class="columns">
          <div>
            <h3>All products</h3>
            <Table rows={[
              [store.hasGiven ? "In doubt" : "To be labelled", count(progress.products)],
              ["Still open", count(progress.open)],
              ...Object.entries(progress.by_action).map(([action, n]): [string, string] => [ACTIONS[action] ?? action, count(n)]),
            ]} />
            <h3>Agreement</h3>
            {progress.agreement.both === 0
              ? <p class="note">No product was decided by two people yet.</p>
              : <p>{plural(progress.agreement.both, "product")} decided by two people; {count(progress.agreement.same)} alike ({percent(progress.agreement.share)}).</p>}
          </div>
          <div>
            <h3>Reviewers</h3>
            {progress.by_reviewer.length === 0 && <p class="note">Nobody has decided anything yet.</p>}
            <Table rows={progress.by_reviewer.map((one): [string, string] => [one.who, `${count(one.decided)} · ${count(Math.round(one.per_hour))} an hour`])} />
            <h3>Most frequent moves</h3>
            {progress.moved_pairs.length === 0 && <p class="note">Nothing was moved yet.</p>}
            <Table rows={progress.moved_pairs.slice(0, 12).map((pair): [string, string] => [`${store.leaf(pair.from) || "no shelf"} → ${store.leaf(pair.to)}`, count(pair.count)])} />
          </div>
        </div>
      )}
      <div class="foot">
        <a class="button plain" href="/api/export?form=parquet" download>Decisions as Parquet</a>
        <a class="button plain" href="/api/export?form=csv" download>Decisions as CSV</a>
      </div>
    </Modal>
  );
}

function Table({ rows }: { rows: [string, string][] }) {
  return (
    <table class="facts-table">
      <tbody>
        {rows.map(([name, value], number) => (
          <tr key={number}>
            <th scope="row">{name}</th>
            <td class="number">{value}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Unsaved() {
  const store = useStore();
  const { waiting } = store.outbox;
  return (
    <Modal title="Not saved yet" onClose={() => store.show("")}>
      {waiting.length === 0 && <p>Everything is saved.</p>}
      <ul class="unsaved">
        {waiting.map((sending) => (
          <li key={sending.key}>
            <span>{sending.words}</span>
            <span class="note">{sending.problem ? `${sending.problem} Sent ${plural(sending.tries, "time")}.` : "On its way."}</span>
          </li>
        ))}
      </ul>
      <p class="note">They are kept in this tab and sent again until the server has them; each counts once.</p>
      <div class="foot">
        <span class="spacer" />
        <Button tone="main" disabled={!waiting.length} onClick={() => store.outbox.retry()}>Send now</Button>
      </div>
    </Modal>
  );
}

function Name() {
  const store = useStore();
  const [name, setName] = useState(store.api.reviewer);
  const close = () => store.setReviewer(name);
  return (
    <Modal title="Who reviews?" class="small" onClose={close}>
      <form onSubmit={(event) => { event.preventDefault(); close(); }}>
        <label class="field">
          Your name stands beside your decisions
          <input value={name} maxLength={60} autofocus id="reviewer" placeholder="reviewer" onInput={(event) => setName(event.currentTarget.value)} />
        </label>
        <div class="foot">
          <span class="spacer" />
          <button type="submit" class="button main">Start</button>
        </div>
      </form>
    </Modal>
  );
}

export const KEYS: [string, string][] = [
  ["A or Enter", "accept the suggestion"],
  ["K", "keep the given shelf"],
  ["O or /", "other shelf: opens the picker"],
  ["1 … 9", "move to the model's first … ninth candidate"],
  ["U", "unsure"],
  ["S or →", "skip: later"],
  ["Z or Ctrl+Z", "undo your last decision"],
  ["↓ ↑", "next, previous product; nothing is decided"],
  ["X", "pick the product for a bulk decision"],
  ["Shift+↓ ↑, Shift+click", "pick a range"],
  ["Esc", "pick none; close a dialog"],
  ["F", "go to the text filter"],
  ["M", "map or list"],
  ["?", "this help"],
];

/** Keys that decide nothing. */
const LOOKING = new Set(["↓ ↑", "Esc", "F", "M", "?"]);

function Help() {
  const store = useStore();
  return (
    <Modal title="Keys" onClose={() => store.show("")}>
      <table class="keys">
        <tbody>
          {KEYS.filter(([keys]) => store.about.can_decide || LOOKING.has(keys)).map(([keys, words]) => (
            <tr key={keys}>
              <th scope="row">{keys.split(/ (?=or |… |↑)/).map((part, n) => <span key={n}>{n > 0 && " "}<kbd>{part.replace(/^or /, "")}</kbd></span>)}</th>
              <td>{words}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="note">On the map: drag moves, the wheel zooms, Shift and drag encircles, a click opens a product.</p>
      {store.about.can_decide && (
        <p class="note">Every decision is on the disk before it counts as saved{store.about.decisions ? `, in ${store.about.decisions}` : ""}.</p>
      )}
      <p class="note">Shelfwise {store.about.version}.</p>
    </Modal>
  );
}

export function Toasts() {
  const store = useStore();
  return (
    <div class="toasts" role="status" aria-live="polite">
      {store.toasts.map((toast) => (
        <div key={toast.id} class={`toast ${toast.tone}`}>
          <span>{toast.text}</span>
          {toast.open !== undefined && <button type="button" class="link" onClick={() => store.open(toast.open as number)}>Show</button>}
          <button type="button" class="round" aria-label="Dismiss" onClick={() => store.dismiss(toast.id)}>×</button>
        </div>
      ))}
    </div>
  );
}
