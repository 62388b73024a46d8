/** What the host and its VMs do at this moment, and did in the last minutes. */
import { create } from 'zustand';
import { connection } from '../api/connection';

/** Figures of a VM: percent of all its processors, bytes, and bytes a second; null is what nobody knows. */
export interface VmFigures {
  cpu_usage: number | null;
  memory_resident: number | null;
  disk_read_bytes: number | null;
  disk_write_bytes: number | null;
  network_received_bytes: number | null;
  network_sent_bytes: number | null;
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
  virtual_machines?: Record<string, VmFigures>;
}

function moment({ cpu, memory, virtual_machines = {} }: Realtime): Moment {
  return {
    time: Date.now() / 1000,
    host: {
      cpu: cpu?.cpu?.usage ?? 0,
      memory_total: memory?.physical_memory_total ?? 0,
      memory_available: memory?.physical_memory_available ?? 0,
    },
    vms: new Map(Object.entries(virtual_machines).map(([id, figures]) => [Number(id), figures])),
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
