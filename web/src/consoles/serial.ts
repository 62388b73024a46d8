/** The frame with a guest's serial console. */
import '@xterm/xterm/css/xterm.css';
import './console.css';
import { FitAddon } from '@xterm/addon-fit';
import { Terminal } from '@xterm/xterm';
import { obey, tell, type ToFrame } from './messages';

const terminal = new Terminal({
  fontFamily: '"Red Hat Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace',
  fontSize: 14,
  scrollback: 10_000,
  cursorBlink: true,
  screenReaderMode: false,
});
const fit = new FitAddon();
terminal.loadAddon(fit);

let socket: WebSocket | null = null;

interface Greeting {
  msg: 'connected' | 'failed';
  error?: { reason: string };
}

function open({ url, token, vm }: Extract<ToFrame, { do: 'open-serial' }>): void {
  socket?.close();
  const mine = new WebSocket(url);
  socket = mine;
  mine.binaryType = 'arraybuffer';
  tell({ is: 'connecting' });
  let refusal = '';
  mine.onopen = () => mine.send(JSON.stringify({ token, options: { vm_id: vm } }));
  mine.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
    if (typeof data !== 'string') {
      terminal.write(new Uint8Array(data));
      return;
    }
    const greeting = JSON.parse(data) as Greeting;
    if (greeting.msg === 'connected') {
      // What comes now begins with what was printed before.
      terminal.reset();
      tell({ is: 'connected' });
      terminal.focus();
    } else {
      refusal = greeting.error?.reason ?? '';
      mine.close();
    }
  };
  mine.onclose = (event) => {
    if (socket === mine) tell({ is: 'closed', reason: refusal || event.reason, isFinal: refusal !== '' });
  };
}

const encoder = new TextEncoder();
const write = (data: Uint8Array): void => {
  if (socket?.readyState === WebSocket.OPEN) socket.send(data as Uint8Array<ArrayBuffer>);
};
terminal.onData((text) => write(encoder.encode(text)));
terminal.onBinary((text) => write(Uint8Array.from(text, (character) => character.charCodeAt(0))));

const place = document.getElementById('serial');
if (place) {
  terminal.open(place);
  fit.fit();
  new ResizeObserver(() => fit.fit()).observe(place);
}

obey((message) => {
  switch (message.do) {
    case 'open-serial':
      open(message);
      break;
    case 'type':
      write(encoder.encode(message.text.replaceAll('\n', '\r')));
      break;
    case 'focus':
      terminal.focus();
      break;
    case 'close':
      socket?.close();
      socket = null;
      break;
    default:
  }
});
