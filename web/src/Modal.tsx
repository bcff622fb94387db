// A dialog in front of the page; the browser keeps the focus in it and Escape closes it.

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

export function Modal(props: { title: string; class?: string; onClose: () => void; children: ComponentChildren }) {
  const element = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const before = document.activeElement;
    const dialog = element.current;
    dialog?.showModal();
    dialog?.querySelector<HTMLElement>("[autofocus], [data-focus]")?.focus();
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
    };
  }, []);
  return (
    <dialog ref={element} class={`modal ${props.class ?? ""}`} aria-label={props.title}
      onCancel={(event) => { event.preventDefault(); props.onClose(); }}
      onMouseDown={(event) => event.target === element.current && props.onClose()}>
      <div class="inside">
        <div class="head">
          <h2>{props.title}</h2>
          <button type="button" class="round" aria-label="Close" onClick={props.onClose}>×</button>
        </div>
        {props.children}
      </div>
    </dialog>
  );
}
