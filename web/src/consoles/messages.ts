/** What the page and the frame with a console say to each other. */

export type ToFrame =
  | { do: 'open-screen'; kind: 'SPICE' | 'VNC'; url: string; viewOnly: boolean }
  | { do: 'open-serial'; url: string; token: string; vm: number }
  | { do: 'press'; codes: string[] }
  | { do: 'type'; text: string }
  | { do: 'scale'; fit: boolean }
  | { do: 'resize-guest' }
  | { do: 'paste'; text: string }
  | { do: 'focus' }
  | { do: 'close' };

export type FromFrame =
  | { is: 'loaded' }
  | { is: 'connecting' }
  | { is: 'connected' }
  | { is: 'closed'; reason: string; isFinal: boolean };

/** In the frame: do what the page says. */
export function obey(act: (message: ToFrame) => void): void {
  window.addEventListener('message', (event: MessageEvent<ToFrame>) => {
    if (event.source === window.parent && event.origin === location.origin) act(event.data);
  });
  tell({ is: 'loaded' });
}

/** In the frame: tell the page. */
export function tell(message: FromFrame): void {
  window.parent.postMessage(message, location.origin);
}
