import { strokesOf } from './keys';
import { BETWEEN_KEYS, type Outcome, pause, reasonOf, type Screen } from './kinds';

/** What is used of the SPICE client, which is not part of this program but a file beside it. */
interface Client {
  SpiceMainConn: new (options: Record<string, unknown>) => Main;
}

interface Main {
  ws: WebSocket;
  display?: { ws: WebSocket };
  inputs?: unknown;
  resize_window(flags: number, width: number, height: number, depth: number, x: number, y: number): void;
  send_clipboard_grab(): void;
  stop(): void;
}

const FILE = '/ui/spice-client/index.js';

export async function openSpice(place: HTMLElement, url: string, _viewOnly: boolean, outcome: Outcome): Promise<Screen> {
  const { SpiceMainConn } = (await import(/* @vite-ignore */ FILE)) as Client;
  const area = document.createElement('div');
  area.id = 'spice';
  place.append(area);
  let isFit = true;
  const canvas = (): HTMLCanvasElement | null => area.querySelector('canvas');
  const fit = (): void => {
    const surface = canvas();
    if (!surface) return;
    const scale = isFit ? Math.min(innerWidth / surface.width, innerHeight / surface.height) : 1;
    const x = Math.max(0, (innerWidth - surface.width * scale) / 2);
    const y = Math.max(0, (innerHeight - surface.height * scale) / 2);
    // The mouse is exact only if the canvas keeps its size and what is around it is scaled.
    area.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
    area.style.width = `${surface.width}px`;
    area.style.height = `${surface.height}px`;
  };
  let isConnected = false;
  const observer = new MutationObserver(() => {
    if (canvas() && !isConnected) {
      isConnected = true;
      outcome.connected();
      canvas()?.focus();
    }
    fit();
  });
  observer.observe(area, { childList: true, subtree: true, attributeFilter: ['width', 'height'] });
  window.addEventListener('resize', fit);

  const main = new SpiceMainConn({
    uri: url,
    screen_id: area.id,
    password: '',
    scale_view: false,
    // How it ended is told by the WebSocket, below.
    onerror: () => undefined,
  });
  (window as unknown as { spice_connection: Main }).spice_connection = main;
  main.ws.addEventListener('close', (event) => {
    observer.disconnect();
    window.removeEventListener('resize', fit);
    outcome.closed(...reasonOf(event));
  });

  const held = new Set<string>();
  const holds = (name: string): boolean => held.has(`${name}Left`) || held.has(`${name}Right`);
  const key = (kind: 'keydown' | 'keyup', code: string): void => {
    if (kind === 'keydown') held.add(code);
    else held.delete(code);
    // The client lets go of modifiers that an event does not speak of.
    const modifiers = { shiftKey: holds('Shift'), ctrlKey: holds('Control'), altKey: holds('Alt'), metaKey: holds('Meta') };
    canvas()?.dispatchEvent(new KeyboardEvent(kind, { code, ...modifiers, bubbles: true, cancelable: true }));
  };
  const screen: Screen = {
    press(codes) {
      for (const code of codes) key('keydown', code);
      for (const code of [...codes].reverse()) key('keyup', code);
    },
    async type(text) {
      for (const { code, shift } of strokesOf(text)) {
        this.press(shift ? ['ShiftLeft', code] : [code]);
        await pause(BETWEEN_KEYS);
      }
    },
    scale(toFit) {
      isFit = toFit;
      fit();
    },
    resizeGuest() {
      main.resize_window(0, innerWidth - (innerWidth % 8), innerHeight - (innerHeight % 8), 32, 0, 0);
    },
    paste() {
      // The client reads the browser's clipboard when the guest asks for it.
      main.send_clipboard_grab();
    },
    focus() {
      canvas()?.focus();
    },
    close() {
      main.stop();
    },
  };
  return screen;
}
