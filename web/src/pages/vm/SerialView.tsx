import { Alert, Button, Label } from '@patternfly/react-core';
import TerminalIcon from '@patternfly/react-icons/dist/esm/icons/terminal-icon';
import { useCallback, useEffect, useRef, useState } from 'react';
import { connection, socketUrl } from '../../api/connection';
import { explain } from '../../api/errors';
import type { Vm } from '../../api/types';
import type { FromFrame } from '../../consoles/messages';
import { ConsoleFrame, type Frame } from '../../parts/ConsoleFrame';
import { Empty } from '../../parts/Empty';
import { useMay } from '../../parts/useConnection';
import { text } from '../../text';

type State = { is: 'connecting' | 'connected' } | { is: 'closed'; reason: string };

/** Seconds that the token lives, which is used at once. */
const TOKEN_TTL = 30;

export function SerialView({ vm }: { vm: Vm }) {
  const mayUse = useMay('VM_WRITE');
  if (!mayUse) return <Empty title={text.serial.noRight} icon={TerminalIcon} />;
  if (vm.status.state === 'STOPPED') return <Empty title={text.display.off} body={text.serial.offBody} icon={TerminalIcon} />;
  return <Live vm={vm} />;
}

function Live({ vm }: { vm: Vm }) {
  const frame = useRef<Frame>(null);
  const isLoaded = useRef(false);
  const [state, setState] = useState<State>({ is: 'connecting' });
  const connect = useCallback(async () => {
    setState({ is: 'connecting' });
    try {
      const token = await connection.call<string>('auth.generate_token', TOKEN_TTL, {}, true, true);
      frame.current?.send({ do: 'open-serial', url: socketUrl('/websocket/shell'), token, vm: vm.id });
    } catch (error) {
      setState({ is: 'closed', reason: explain(error) });
    }
  }, [vm.id]);
  useEffect(() => {
    if (isLoaded.current) void connect();
  }, [connect, vm.status.pid]);
  const receive = (message: FromFrame): void => {
    if (message.is === 'loaded') {
      isLoaded.current = true;
      void connect();
    } else if (message.is === 'closed') {
      setState({ is: 'closed', reason: message.reason });
    } else {
      setState({ is: message.is });
    }
  };
  return (
    <>
      <div className="vs-bar">
        {state.is === 'connected' ? (
          <Label color="green" status="success">
            {text.display.connected}
          </Label>
        ) : (
          <Label color="grey">{state.is === 'connecting' ? text.display.connecting : text.serial.closed}</Label>
        )}
        <span className="vs-subtle">{text.serial.hint}</span>
      </div>
      {state.is === 'closed' && (
        <Alert component="p"
          isInline
          variant="warning"
          title={state.reason || text.serial.closed}
          actionLinks={
            <Button variant="secondary" onClick={() => void connect()}>
              {text.display.reconnect}
            </Button>
          }
        />
      )}
      <ConsoleFrame ref={frame} file="serial" title={text.serial.frame(vm.name)} onMessage={receive} />
    </>
  );
}
