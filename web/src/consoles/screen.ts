/** The frame with a guest's screen. SPICE's client is a file of its own, loaded when it is needed. */
import './console.css';
import { obey, tell, type ToFrame } from './messages';
import { openSpice } from './spice';
import type { Screen } from './kinds';
import { openVnc } from './vnc';

let screen: Screen | null = null;
/** Connections are numbered: what an earlier one still says is not about the present one. */
let current = 0;
let isFit = true;

async function open({ kind, url, viewOnly }: Extract<ToFrame, { do: 'open-screen' }>): Promise<void> {
  const mine = ++current;
  screen?.close();
  screen = null;
  const place = document.getElementById('screen');
  if (!place) return;
  place.replaceChildren();
  tell({ is: 'connecting' });
  const outcome = {
    connected: () => {
      if (mine === current) tell({ is: 'connected' });
    },
    closed: (reason: string, isFinal: boolean) => {
      if (mine === current) tell({ is: 'closed', reason, isFinal });
    },
  };
  try {
    const opened = await (kind === 'SPICE' ? openSpice : openVnc)(place, url, viewOnly, outcome);
    if (mine !== current) {
      opened.close();
      return;
    }
    screen = opened;
    screen.scale(isFit);
  } catch (error) {
    outcome.closed(String(error), false);
  }
}

obey((message) => {
  switch (message.do) {
    case 'open-screen':
      void open(message);
      break;
    case 'press':
      screen?.press(message.codes);
      break;
    case 'type':
      void screen?.type(message.text);
      break;
    case 'scale':
      isFit = message.fit;
      document.body.classList.toggle('actual', !isFit);
      screen?.scale(isFit);
      break;
    case 'resize-guest':
      screen?.resizeGuest();
      break;
    case 'paste':
      screen?.paste(message.text);
      break;
    case 'focus':
      screen?.focus();
      break;
    case 'close':
      current += 1;
      screen?.close();
      screen = null;
      break;
    default:
  }
});
