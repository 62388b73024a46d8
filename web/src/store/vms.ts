/** All VMs, kept as events tell. Each VM is a new object when it changed, and the same one when it did not. */
import { create } from 'zustand';
import { connection } from '../api/connection';
import { explain } from '../api/errors';
import type { Change, Vm } from '../api/types';

interface Vms {
  byId: ReadonlyMap<number, Vm>;
  list: readonly Vm[];
  isLoaded: boolean;
  error: string | null;
}

export const useVms = create<Vms>(() => ({ byId: new Map(), list: [], isLoaded: false, error: null }));

/** Changes that came since the page was last drawn; together they make it drawn once. */
let waiting: Change<Vm>[] = [];

function apply(): void {
  const changes = waiting;
  waiting = [];
  const byId = new Map(useVms.getState().byId);
  for (const change of changes) {
    const id = Number(change.id);
    if (change.msg === 'removed') byId.delete(id);
    else if (change.fields) byId.set(id, { ...byId.get(id), ...change.fields });
  }
  set(byId);
}

function set(byId: Map<number, Vm>): void {
  const list = [...byId.values()].sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
  useVms.setState({ byId, list, isLoaded: true, error: null });
}

async function load(): Promise<void> {
  try {
    const vms = await connection.call<Vm[]>('vm.query');
    waiting = [];
    set(new Map(vms.map((vm) => [vm.id, vm])));
  } catch (error) {
    useVms.setState({ error: explain(error) });
  }
}

export function keepVms(): void {
  connection.listen<Vm>('vm.query', (change) => {
    if (waiting.push(change) === 1) window.setTimeout(apply, 50);
  });
  connection.whenReady(() => void load());
}

export const useVm = (id: number): Vm | undefined => useVms((state) => state.byId.get(id));
