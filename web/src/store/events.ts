/** States that VMs took on while the page was open. */
import { create } from 'zustand';
import { connection } from '../api/connection';
import type { State, Vm } from '../api/types';

export interface Taken {
  at: number;
  state: State;
}

const KEPT = 50;

export const useTaken = create<{ byVm: ReadonlyMap<number, readonly Taken[]> }>(() => ({ byVm: new Map() }));

export function keepTaken(): void {
  connection.listen<Vm>('vm.query', ({ id, fields }) => {
    const state = fields?.status.state;
    const { byVm } = useTaken.getState();
    const own = byVm.get(Number(id)) ?? [];
    if (!state || own.at(-1)?.state === state) return;
    const changed = new Map(byVm);
    changed.set(Number(id), [...own, { at: Date.now(), state }].slice(-KEPT));
    useTaken.setState({ byVm: changed });
  });
}
