import { connection } from '../../api/connection';
import type { Vm } from '../../api/types';
import { runJob } from '../../store/jobs';
import { type Doing, type Step, withId } from './plan';

/** Carry the steps out; what was made is removed again when one of them fails. The number of the VM. */
export async function make(steps: readonly Step[], tell: (doing: Doing) => void): Promise<number> {
  const [first, ...rest] = steps;
  if (!first) throw new Error('nothing to do');
  tell('vm');
  const { id } = await connection.call<Vm>(first.method, ...first.params);
  try {
    for (const { doing, method, params, isJob } of rest) {
      tell(doing);
      const given = withId(params, id);
      await (isJob ? runJob(method, ...given) : connection.call(method, ...given));
    }
  } catch (error) {
    // A VM that is complete and only did not start stays: nothing of it is wrong.
    if (rest.at(-1)?.method === 'vm.start' && (await isComplete(id, rest))) throw new NotStarted(id, error);
    await connection.call('vm.delete', id, { zvols: true, force: true });
    throw error;
  }
  return id;
}

/** The VM is there, but it could not be started. */
export class NotStarted extends Error {
  constructor(
    readonly id: number,
    override readonly cause: unknown,
  ) {
    super(cause instanceof Error ? cause.message : String(cause));
  }
}

async function isComplete(id: number, steps: readonly Step[]): Promise<boolean> {
  const devices = await connection.call<unknown[]>('vm.device.query', [['vm', '=', id]]);
  return devices.length === steps.filter(({ method }) => method === 'vm.device.create').length;
}
