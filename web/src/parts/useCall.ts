import { useCallback, useEffect, useRef, useState } from 'react';
import { connection } from '../api/connection';
import { CallFailed, explain } from '../api/errors';

export interface Called<T> {
  data: T | undefined;
  error: string | null;
  /** The server does not have the method. */
  isUnknown: boolean;
  reload(): void;
}

/** The result of a method, read when the page is shown and again after each reconnection. `null`: do not call. */
export function useCall<T>(method: string | null, ...params: unknown[]): Called<T> {
  const [state, setState] = useState<Omit<Called<T>, 'reload'>>({ data: undefined, error: null, isUnknown: false });
  const key = JSON.stringify(params);
  const turn = useRef(0);
  const load = useCallback(() => {
    if (!method) return;
    const mine = ++turn.current;
    connection.call<T>(method, ...(JSON.parse(key) as unknown[])).then(
      (data) => {
        if (mine === turn.current) setState({ data, error: null, isUnknown: false });
      },
      (error: unknown) => {
        const isUnknown = error instanceof CallFailed && error.isUnknownMethod;
        if (mine === turn.current) setState((old) => ({ ...old, error: explain(error), isUnknown }));
      },
    );
  }, [method, key]);
  useEffect(() => connection.whenReady(load), [load]);
  return { ...state, reload: load };
}

/** The same for a list whose name its events have: it is read anew whenever something in it changes. */
export function useLive<T>(collection: string, ...params: unknown[]): Called<T> {
  const called = useCall<T>(collection, ...params);
  useEffect(() => connection.listen(collection, called.reload), [collection, called.reload]);
  return called;
}
