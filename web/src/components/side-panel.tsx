import { type ReactNode, useEffect, useRef } from 'react';
import { Icon } from './icon.tsx';

/** A panel over the right edge; Escape and a click outside close it, and the focus returns to what opened it. */
export function SidePanel(props: {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ReactNode;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const { onClose } = props;
  useEffect(() => {
    const element = dialog.current;
    const opener = document.activeElement;
    element?.showModal();
    return () => {
      element?.close();
      if (opener instanceof HTMLElement) opener.focus();
    };
  }, []);
  useEffect(() => {
    const element = dialog.current;
    if (element === null) return;
    const outside = (event: MouseEvent) => {
      if (event.target === element) onClose();
    };
    element.addEventListener('click', outside);
    return () => element.removeEventListener('click', outside);
  }, [onClose]);
  return (
    <dialog
      ref={dialog}
      className="side-panel"
      aria-labelledby="side-panel-title"
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
    >
      <div className="side-panel-body">
        <header>
          <h2 id="side-panel-title">{props.title}</h2>
          <button type="button" className="icon-button" onClick={onClose} aria-label="Close">
            <Icon name="close" />
          </button>
        </header>
        {props.children}
      </div>
    </dialog>
  );
}
