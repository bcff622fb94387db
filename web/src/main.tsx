// The page of `shelfwise review`.

import "./app.css";
import { render } from "preact";
import { Banners, Header } from "./Header";
import { BulkBar, DoubtList } from "./DoubtList";
import { StoreContext, useStore } from "./context";
import { Dialogs, Toasts } from "./Dialogs";
import { Filters } from "./Filters";
import { listen } from "./keys";
import { MapPane } from "./map/MapPane";
import { ProductPane } from "./ProductPane";
import { Store } from "./store";

function App() {
  const store = useStore();
  const side = (
    <aside class="side">
      <Filters />
      <DoubtList />
      <BulkBar />
    </aside>
  );
  return (
    <div class={`app view-${store.view} ${store.mapWide ? "wide" : ""}`}>
      <Header />
      <Banners />
      <main>
        {side}
        {store.view === "map" && <MapPane />}
        <ProductPane />
      </main>
      <Dialogs />
      <Toasts />
    </div>
  );
}

async function begin(): Promise<void> {
  const root = document.getElementById("page");
  if (!root) return;
  const store = new Store();
  try {
    await store.ready();
  } catch (error) {
    const problem = document.createElement("p");
    problem.className = "loading";
    problem.textContent = `The page cannot be opened: ${error instanceof Error ? error.message : String(error)} Load it again.`;
    root.replaceChildren(problem);
    return;
  }
  listen(store);
  root.replaceChildren();
  render(<StoreContext.Provider value={store}><App /></StoreContext.Provider>, root);
  await store.start();
}

void begin();
