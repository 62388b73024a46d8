/** What can be done with a VM, with the questions that are asked first and the messages that follow. */
import { connection } from '../api/connection';
import { CallFailed, ENOMEM, explain } from '../api/errors';
import type { State, Vm } from '../api/types';
import { text } from '../text';
import { ended, useJobs } from './jobs';
import { ask, notify } from './notices';

export type Action = 'start' | 'stop' | 'restart' | 'reset' | 'poweroff' | 'suspend' | 'resume';

export const POSSIBLE: Record<State, readonly Action[]> = {
  STOPPED: ['start'],
  RUNNING: ['stop', 'restart', 'suspend', 'reset', 'poweroff'],
  SUSPENDED: ['resume', 'poweroff'],
  ERROR: [],
};

const MAKES_JOB: readonly Action[] = ['stop', 'restart'];

/** Do it; rejects with what went wrong. */
async function carryOut(action: Action, vm: Vm): Promise<void> {
  if (!MAKES_JOB.includes(action)) {
    await connection.call(`vm.${action}`, vm.id);
    return;
  }
  const job = await connection.call<number>(`vm.${action}`, vm.id);
  await ended(job);
  if (action === 'stop' && useJobs.getState().byId.get(job)?.progress.description?.includes('still runs')) {
    notify('danger', text.action.stillRuns(vm.name), text.action.stillRunsHint);
  }
}

async function startAnyway(vm: Vm, reason: string): Promise<void> {
  const title = text.action.memoryTitle(vm.name);
  const given = await ask({ title, body: reason, confirm: text.action.memoryConfirm });
  if (given) await connection.call('vm.start', vm.id, { overcommit: true });
}

/** Whether it may be done, as far as the user is concerned: what loses data is asked about first. */
async function isSure(action: Action, names: string): Promise<boolean> {
  if (action !== 'poweroff' && action !== 'reset') return true;
  const [title, body] =
    action === 'reset'
      ? [text.action.resetTitle(names), text.action.resetBody]
      : [text.action.poweroffTitle(names), text.action.poweroffBody];
  return (await ask({ title, body, confirm: text.action[action], isDangerous: true })) !== null;
}

/** Do something with one VM. What goes wrong is shown. */
export async function act(action: Action, vm: Vm): Promise<void> {
  if (!(await isSure(action, vm.name))) return;
  try {
    try {
      await carryOut(action, vm);
    } catch (error) {
      if (action !== 'start' || !(error instanceof CallFailed) || error.errno !== ENOMEM) throw error;
      await startAnyway(vm, error.message);
    }
  } catch (error) {
    notify('danger', text.action.failed(text.action[action], vm.name), explain(error));
  }
}

/** Do something with several; who cannot is named, with the reason. */
export async function actOnAll(action: Action, vms: readonly Vm[]): Promise<void> {
  const names = vms.map((vm) => vm.name).join(', ');
  if (!(await isSure(action, names))) return;
  const results = await Promise.allSettled(vms.map((vm) => carryOut(action, vm)));
  const failures = results.flatMap((result, index) =>
    result.status === 'rejected' ? [`${vms[index]?.name}: ${explain(result.reason)}`] : [],
  );
  const title = text.action.bulk(text.action[action], vms.length - failures.length, vms.length);
  notify(failures.length > 0 ? 'danger' : 'success', title, failures.join('; ') || undefined);
}

const storage = (vm: Vm, dtype: string): string =>
  vm.devices
    .filter((device) => device.attributes.dtype === dtype && device.attributes.path)
    .map((device) => String(device.attributes.path).replace('/dev/zvol/', ''))
    .join(', ');

/** Delete a VM, after naming what goes and what stays. True when it is gone. */
export async function remove(vm: Vm): Promise<boolean> {
  const volumes = storage(vm, 'DISK');
  const files = storage(vm, 'RAW');
  const isActive = vm.status.state !== 'STOPPED';
  const given = await ask({
    title: text.remove.title(vm.name),
    body: text.remove.body,
    items: [text.remove.settings, text.remove.firmware, ...(files ? [text.remove.kept(files)] : [])],
    confirm: text.remove.confirm,
    isDangerous: true,
    typed: vm.name,
    choices: [
      ...(volumes ? [{ name: 'zvols', label: text.remove.zvols, hint: text.remove.zvolsHint(volumes) }] : []),
      ...(isActive ? [{ name: 'force', label: text.remove.force }] : []),
    ],
  });
  if (!given) return false;
  try {
    await connection.call('vm.delete', vm.id, given);
    notify('success', text.remove.done(vm.name));
    return true;
  } catch (error) {
    notify('danger', text.action.failed(text.action.delete, vm.name), explain(error));
    return false;
  }
}
