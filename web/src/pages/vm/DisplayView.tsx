/** A VM's screen with its tools. It connects by itself, and again when the VM was started anew. */
import {
  Alert,
  Button,
  Dropdown,
  DropdownItem,
  DropdownList,
  FormSelect,
  FormSelectOption,
  Label,
  MenuToggle,
  ToggleGroup,
  ToggleGroupItem,
} from '@patternfly/react-core';
import DesktopIcon from '@patternfly/react-icons/dist/esm/icons/desktop-icon';
import { useCallback, useEffect, useRef, useState } from 'react';
import { connection, socketUrl } from '../../api/connection';
import { CallFailed, EBUSY, explain } from '../../api/errors';
import type { DisplayTicket, Vm } from '../../api/types';
import type { FromFrame } from '../../consoles/messages';
import { ConsoleFrame, type Frame } from '../../parts/ConsoleFrame';
import { Empty } from '../../parts/Empty';
import { notify } from '../../store/notices';
import { text } from '../../text';
import { TypeDialog } from './TypeDialog';

type State =
  | { is: 'connecting' }
  | { is: 'connected'; viewOnly: boolean }
  | { is: 'closed'; reason: string; isBusy: boolean };

/** Milliseconds before it connects again by itself, and how often in a row it tries. */
const AGAIN = 1500;
const TRIES = 5;

const KEYS: [string, string[]][] = [
  ['Ctrl+Alt+Del', ['ControlLeft', 'AltLeft', 'Delete']],
  ['Esc', ['Escape']],
  ['Win', ['MetaLeft']],
  ['Alt+Tab', ['AltLeft', 'Tab']],
  ['Alt+F4', ['AltLeft', 'F4']],
  ['PrtSc', ['PrintScreen']],
  ...[1, 2, 3, 7].map((key): [string, string[]] => [`Ctrl+Alt+F${key}`, ['ControlLeft', 'AltLeft', `F${key}`]]),
];

export const displaysOf = (vm: Vm) =>
  vm.devices.filter(({ attributes }) => attributes.dtype === 'DISPLAY' && attributes.web !== false);

export function DisplayView({ vm, initial, isWindow = false }: { vm: Vm; initial?: number; isWindow?: boolean }) {
  const displays = displaysOf(vm);
  const [chosen, setChosen] = useState(initial ?? displays[0]?.id);
  const device = displays.find((each) => each.id === chosen) ?? displays[0];
  if (!device) return <Empty title={text.display.none} body={text.display.noneBody} icon={DesktopIcon} />;
  if (vm.status.state === 'STOPPED') return <Empty title={text.display.off} body={text.display.offBody} icon={DesktopIcon} />;
  const chooser = displays.length > 1 && (
    <FormSelect
      aria-label={text.display.which}
      className="vs-choice"
      value={device.id}
      onChange={(_, value) => setChosen(Number(value))}
    >
      {displays.map((each) => (
        <FormSelectOption key={each.id} value={each.id} label={String(each.attributes.type)} />
      ))}
    </FormSelect>
  );
  return <Live key={device.id} vm={vm} device={device.id} isWindow={isWindow} chooser={chooser} />;
}

function Live({ vm, device, isWindow, chooser }: { vm: Vm; device: number; isWindow: boolean; chooser: React.ReactNode }) {
  const frame = useRef<Frame>(null);
  const ticket = useRef<DisplayTicket | null>(null);
  const tries = useRef(0);
  const timer = useRef(0);
  const isLoaded = useRef(false);
  const [state, setState] = useState<State>({ is: 'connecting' });
  const [isFit, setFit] = useState(true);
  const [isTyping, setTyping] = useState(false);

  const connect = useCallback(
    async (takeOver = false) => {
      window.clearTimeout(timer.current);
      setState({ is: 'connecting' });
      try {
        const options = { device, take_over: takeOver };
        ticket.current = await connection.call<DisplayTicket>('vm.get_display_ticket', vm.id, options);
        const { type, path, view_only } = ticket.current;
        frame.current?.send({ do: 'open-screen', kind: type, url: socketUrl(path), viewOnly: view_only });
      } catch (error) {
        const isBusy = error instanceof CallFailed && error.errno === EBUSY;
        // What follows is for callers of the API.
        const [reason = ''] = isBusy ? explain(error).split(';') : [explain(error)];
        setState({ is: 'closed', reason, isBusy });
      }
    },
    [vm.id, device],
  );
  // A new process is a new display.
  useEffect(() => {
    tries.current = 0;
    if (isLoaded.current) void connect();
    return () => window.clearTimeout(timer.current);
  }, [connect, vm.status.pid]);

  const receive = (message: FromFrame): void => {
    if (message.is === 'loaded') {
      isLoaded.current = true;
      void connect();
    } else if (message.is === 'connected') {
      tries.current = 0;
      setState({ is: 'connected', viewOnly: ticket.current?.view_only ?? false });
    } else if (message.is === 'closed') {
      setState({ is: 'closed', reason: message.reason, isBusy: message.isFinal });
      if (!message.isFinal && tries.current++ < TRIES) timer.current = window.setTimeout(() => void connect(), AGAIN);
    }
  };
  const scale = (toFit: boolean): void => {
    setFit(toFit);
    frame.current?.send({ do: 'scale', fit: toFit });
  };
  const paste = async (): Promise<void> => {
    try {
      frame.current?.send({ do: 'paste', text: await navigator.clipboard.readText() });
      notify('success', text.display.pasted);
    } catch (error) {
      notify('danger', text.display.paste, explain(error));
    }
  };
  const moveOut = (): void => {
    // A display has one viewer; the new window is to be it.
    frame.current?.send({ do: 'close' });
    setState({ is: 'closed', reason: text.display.moved, isBusy: true });
    popOut(vm, device);
  };
  const isConnected = state.is === 'connected';
  const mayType = isConnected && !state.viewOnly;
  return (
    <div className={isWindow ? 'vs-window' : undefined}>
      <div className="vs-bar">
        {isConnected ? (
          <Label color="green" status="success">
            {state.viewOnly ? text.display.viewOnly : text.display.connected}
          </Label>
        ) : (
          <Label color="grey">{state.is === 'connecting' ? text.display.connecting : text.display.closed}</Label>
        )}
        {chooser}
        <KeyMenu isDisabled={!mayType} onPress={(codes) => frame.current?.send({ do: 'press', codes })} />
        <Button variant="secondary" isDisabled={!mayType} onClick={() => setTyping(true)}>
          {text.display.type}
        </Button>
        <Button variant="secondary" isDisabled={!mayType} onClick={() => void paste()} className="vs-hide-phone">
          {text.display.paste}
        </Button>
        <ToggleGroup aria-label={text.display.scale}>
          <ToggleGroupItem text={text.display.fit} buttonId="fit" isSelected={isFit} onChange={() => scale(true)} />
          <ToggleGroupItem text={text.display.actual} buttonId="actual" isSelected={!isFit} onChange={() => scale(false)} />
        </ToggleGroup>
        <Button variant="secondary" isDisabled={!mayType} onClick={() => frame.current?.send({ do: 'resize-guest' })} className="vs-hide-phone">
          {text.display.resize}
        </Button>
        <Button variant="secondary" onClick={() => void frame.current?.element()?.requestFullscreen()}>
          {text.display.full}
        </Button>
        {!isWindow && (
          <Button variant="secondary" onClick={moveOut} className="vs-hide-phone">
            {text.display.popOut}
          </Button>
        )}
      </div>
      {state.is === 'closed' && (
        <Alert component="p"
          isInline
          variant={state.isBusy ? 'info' : 'warning'}
          title={state.reason || text.display.closed}
          actionLinks={
            <Button variant="secondary" onClick={() => ((tries.current = 0), void connect(state.isBusy))}>
              {state.isBusy ? text.display.takeOver : text.display.reconnect}
            </Button>
          }
        />
      )}
      <div className="vs-grow">
        <ConsoleFrame ref={frame} file="screen" title={text.display.frame(vm.name)} isWindow={isWindow} onMessage={receive} />
      </div>
      {isTyping && (
        <TypeDialog
          onClose={() => setTyping(false)}
          onType={(typed) => frame.current?.send({ do: 'type', text: typed })}
        />
      )}
    </div>
  );
}

function popOut(vm: Vm, device: number): void {
  const path = encodeURIComponent(`vm/display/${device}/`);
  const address = `/vm/display/${device}/spice_auto.html?path=${path}&autoconnect=1`;
  connection
    .withLogin(() => window.open(address, `display-${vm.id}`, 'width=1100,height=860'))
    .catch((error: unknown) => notify('danger', text.display.popOut, explain(error)));
}

function KeyMenu({ isDisabled, onPress }: { isDisabled: boolean; onPress(codes: string[]): void }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <Dropdown
      isOpen={isOpen}
      onSelect={() => setOpen(false)}
      onOpenChange={setOpen}
      toggle={(ref) => (
        <MenuToggle ref={ref} isDisabled={isDisabled} isExpanded={isOpen} onClick={() => setOpen(!isOpen)}>
          {text.display.keys}
        </MenuToggle>
      )}
    >
      <DropdownList>
        {KEYS.map(([name, codes]) => (
          <DropdownItem key={name} onClick={() => onPress(codes)}>
            {name}
          </DropdownItem>
        ))}
      </DropdownList>
    </Dropdown>
  );
}
