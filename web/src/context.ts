// How components come to the one store, and are drawn anew when it changes.

import { createContext } from "preact";
import { useContext, useLayoutEffect, useReducer } from "preact/hooks";
import type { Store } from "./store";

export const StoreContext = createContext<Store | null>(null);

/** The store, for what is drawn from its properties alone: it is not drawn anew when the store changes. */
export function useStill(): Store {
  const store = useContext(StoreContext);
  if (!store) throw new Error("no store");
  return store;
}

// Effects run some time after the first picture, layout effects with it: what changes in between would not be drawn.
/** The store; the component is drawn anew whenever it changes. */
export function useStore(): Store {
  const store = useStill();
  const [, redraw] = useReducer((n: number) => n + 1, 0);
  useLayoutEffect(() => store.subscribe(() => redraw(undefined as never)), [store]);
  return store;
}
