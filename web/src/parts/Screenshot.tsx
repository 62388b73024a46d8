import { useEffect, useState } from 'react';
import { connection } from '../api/connection';
import { CallFailed } from '../api/errors';
import type { Vm } from '../api/types';
import { text } from '../text';

/** Milliseconds between two looks. */
const AGAIN = 3000;

/** What is on a VM's screen, looked at now and then while somebody looks at this. */
export function Screenshot({ vm }: { vm: Vm }) {
  const [image, setImage] = useState<string | null>(null);
  const isOn = vm.status.state !== 'STOPPED';
  useEffect(() => {
    if (!isOn) {
      setImage(null);
      return undefined;
    }
    let timer = 0;
    let isGone = false;
    const look = async (): Promise<void> => {
      try {
        if (!document.hidden) setImage(await connection.call<string>('vm.get_screenshot', vm.id));
      } catch (error) {
        if (error instanceof CallFailed && error.isUnknownMethod) return;
      }
      if (!isGone) timer = window.setTimeout(() => void look(), AGAIN);
    };
    void look();
    return () => {
      isGone = true;
      window.clearTimeout(timer);
    };
  }, [vm.id, isOn]);
  if (!isOn || !image) return <div className="vs-screen vs-screen-off">{isOn ? '' : text.overview.screenOff}</div>;
  return <img className="vs-screen" src={`data:image/png;base64,${image}`} alt={text.display.frame(vm.name)} />;
}
