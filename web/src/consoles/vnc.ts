import { strokesOf } from './keys';
import { BETWEEN_KEYS, type Outcome, pause, reasonOf, type Screen } from './kinds';

export async function openVnc(place: HTMLElement, url: string, viewOnly: boolean, outcome: Outcome): Promise<Screen> {
  const { default: RFB } = await import('@novnc/novnc');
  const socket = new WebSocket(url);
  const rfb = new RFB(place, socket, { shared: true });
  rfb.viewOnly = viewOnly;
  rfb.background = '#000';
  rfb.addEventListener('connect', () => {
    outcome.connected();
    rfb.focus();
  });
  socket.addEventListener('close', (event) => outcome.closed(...reasonOf(event)));
  const screen: Screen = {
    press(codes) {
      for (const code of codes) rfb.sendKey(0, code, true);
      for (const code of [...codes].reverse()) rfb.sendKey(0, code, false);
    },
    async type(text) {
      for (const { code, shift } of strokesOf(text)) {
        this.press(shift ? ['ShiftLeft', code] : [code]);
        await pause(BETWEEN_KEYS);
      }
    },
    scale(isFit) {
      rfb.scaleViewport = isFit;
      rfb.clipViewport = false;
    },
    resizeGuest() {
      rfb.resizeSession = true;
    },
    paste(text) {
      rfb.clipboardPasteFrom(text);
    },
    focus() {
      rfb.focus();
    },
    close() {
      rfb.disconnect();
    },
  };
  return screen;
}
