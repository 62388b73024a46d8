/** What the host and its VMs do at this moment, and did in the last minutes. */
import { create } from 'zustand';
import { connection } from '../api/connection';

/** Figures of a VM at one moment. `cpu` is percent of all its processors, the rest bytes or bytes a second. */
export interface VmFigures {
  cpu: number;
  memory: number;
  disk_read: number;
  disk_write: number;
  net_received: number;
  net_sent: number;
}

export interface Moment {
  /** Seconds since 1970. */
  time: number;
  host: { cpu: number; memory_total: number; memory_available: number };
  vms: ReadonlyMap<number, VmFigures>;
}

interface Figures {
  moments: readonly Moment[];
}

/** How many moments are kept. */
const KEPT = 150;
const COLLECTION = 'reporting.realtime:{"interval": 2}';

export const useFigures = create<Figures>(() => ({ moments: [] }));

interface Realtime {
  cpu?: Record<string, { usage?: number }>;
  memory?: { physical_memory_total?: number; physical_memory_available?: number };
  virtualization?: Record<string, Partial<VmFigures>>;
}

function moment(fields: Realtime): Moment {
  const vms = Object.entries(fields.virtualization ?? {}).map(([id, figures]): [number, VmFigures] => [
    Number(id),
    { cpu: 0, memory: 0, disk_read: 0, disk_write: 0, net_received: 0, net_sent: 0, ...figures },
  ]);
  return {
    time: Date.now() / 1000,
    host: {
      cpu: fields.cpu?.cpu?.usage ?? 0,
      memory_total: fields.memory?.physical_memory_total ?? 0,
      memory_available: fields.memory?.physical_memory_available ?? 0,
    },
    vms: new Map(vms),
  };
}

let watchers = 0;
let stop: (() => void) | null = null;

/** Have figures come while somebody looks at them. What is returned ends that. */
export function watchFigures(): () => void {
  if (watchers++ === 0) {
    stop = connection.listen<Realtime>(COLLECTION, ({ fields }) => {
      if (fields) useFigures.setState(({ moments }) => ({ moments: [...moments, moment(fields)].slice(-KEPT) }));
    });
  }
  return () => {
    if (--watchers === 0) {
      stop?.();
      stop = null;
    }
  };
}
