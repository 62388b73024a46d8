/** Jobs of this session's user, kept as events tell. */
import { create } from 'zustand';
import { connection } from '../api/connection';
import { ConnectionLost, jobError } from '../api/errors';
import type { Job } from '../api/types';
import { text } from '../text';

interface Jobs {
  byId: ReadonlyMap<number, Job>;
}

/** Finished jobs beyond so many are forgotten. */
const KEPT = 200;

export const useJobs = create<Jobs>(() => ({ byId: new Map() }));

export const isActive = (job: Job): boolean => job.state === 'WAITING' || job.state === 'RUNNING';

/** Newest first. */
export const newestFirst = (byId: ReadonlyMap<number, Job>): Job[] => [...byId.values()].sort((a, b) => b.id - a.id);

interface Waiting {
  resolve(job: Job): void;
  reject(error: Error): void;
}

const waiting = new Map<number, Waiting[]>();

function take(job: Job): void {
  const byId = new Map(useJobs.getState().byId);
  byId.set(job.id, job);
  if (byId.size > KEPT) {
    const oldest = [...byId.values()].find((each) => !isActive(each));
    if (oldest) byId.delete(oldest.id);
  }
  useJobs.setState({ byId });
  if (!isActive(job)) {
    for (const { resolve } of waiting.get(job.id) ?? []) resolve(job);
    waiting.delete(job.id);
  }
}

/** A server that has started anew knows nothing of the jobs before: nobody waits for them any longer. */
async function takeAll(): Promise<void> {
  const before = [...useJobs.getState().byId.keys(), ...waiting.keys()];
  const jobs = await connection.call<Job[]>('core.get_jobs', [], { order_by: ['-id'], limit: KEPT });
  const known = new Set(jobs.map(({ id }) => id));
  const gone = jobs.length < KEPT ? before.filter((id) => !known.has(id)) : [];
  const byId = new Map(useJobs.getState().byId);
  for (const id of gone) {
    byId.delete(id);
    for (const { reject } of waiting.get(id) ?? []) reject(new ConnectionLost(text.jobs.forgotten));
    waiting.delete(id);
  }
  useJobs.setState({ byId });
  for (const job of jobs.reverse()) take(job);
}

export function keepJobs(): void {
  connection.listen<Job>('core.get_jobs', (change) => {
    if (change.fields) take(change.fields);
  });
  connection.whenReady(() => void takeAll().catch(() => undefined));
}

/** Wait for a job to end; its result. Rejects with what it failed with. */
export async function ended(id: number): Promise<unknown> {
  const known = useJobs.getState().byId.get(id);
  const job =
    known && !isActive(known)
      ? known
      : await new Promise<Job>((resolve, reject) => waiting.set(id, [...(waiting.get(id) ?? []), { resolve, reject }]));
  if (job.state === 'SUCCESS') return job.result;
  throw jobError(job.state === 'ABORTED' ? 'Aborted' : job.error, job.exc_info?.extra);
}

/** Call a method that is a job, and wait for its end. */
export async function runJob(method: string, ...params: unknown[]): Promise<unknown> {
  return ended(await connection.call<number>(method, ...params));
}
