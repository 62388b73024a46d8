import { useSyncExternalStore } from 'react';
import { connection, type Status } from '../api/connection';
import type { User } from '../api/types';

const watch = (watcher: () => void): (() => void) => connection.watch(watcher);
const turn = (): number => connection.turn;

/** How the connection is, and who is logged in. */
export function useConnection(): { status: Status; user: User | null; reason: string } {
  useSyncExternalStore(watch, turn);
  return { status: connection.status, user: connection.user, reason: connection.reason };
}

/** Whether this user may do what takes that role. */
export function useMay(role: string): boolean {
  const { user } = useConnection();
  const roles = user?.privilege.roles.$set ?? [];
  return roles.includes('FULL_ADMIN') || roles.includes(role);
}
