import { forwardRef, useEffect, useImperativeHandle, useRef } from 'react';
import type { FromFrame, ToFrame } from '../consoles/messages';

export interface Frame {
  send(message: ToFrame): void;
  element(): HTMLIFrameElement | null;
}

interface Props {
  file: 'screen' | 'serial';
  title: string;
  isWindow?: boolean;
  onMessage(message: FromFrame): void;
}

/** The frame that a console runs in: a document of its own, because console programs rule theirs. */
export const ConsoleFrame = forwardRef<Frame, Props>(function ConsoleFrame({ file, title, isWindow, onMessage }, ref) {
  const frame = useRef<HTMLIFrameElement>(null);
  const latest = useRef(onMessage);
  latest.current = onMessage;
  useImperativeHandle(ref, () => ({
    send: (message) => frame.current?.contentWindow?.postMessage(message, location.origin),
    element: () => frame.current,
  }));
  useEffect(() => {
    const receive = (event: MessageEvent<FromFrame>): void => {
      if (event.source === frame.current?.contentWindow && event.origin === location.origin) latest.current(event.data);
    };
    window.addEventListener('message', receive);
    return () => window.removeEventListener('message', receive);
  }, []);
  return (
    <iframe
      ref={frame}
      title={title}
      src={`/ui/${file}.html`}
      className={isWindow ? 'vs-frame vs-frame-window' : 'vs-frame'}
      allow="clipboard-read; clipboard-write; fullscreen"
    />
  );
});
