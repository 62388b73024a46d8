import { useState } from 'react';
import { CallFailed, explain } from '../api/errors';

export type Values = Record<string, unknown>;

export interface Form {
  values: Values;
  set(name: string, value: unknown): void;
  /** What is wrong with a field. */
  errorOf(name: string): string | undefined;
  /** What is wrong with no field that is shown. */
  error: string | null;
  isBusy: boolean;
  isChanged: boolean;
  /** The fields that differ from the beginning. */
  changes(): Values;
  /** Try something; what goes wrong is shown at the field it is about. True when it went well. */
  attempt(action: () => Promise<unknown>): Promise<boolean>;
  reset(values: Values): void;
}

/** The state of a form: its values, and what the server says is wrong with them. */
export function useForm(initial: Values): Form {
  const [start, setStart] = useState(initial);
  const [values, setValues] = useState(initial);
  const [failure, setFailure] = useState<unknown>(null);
  const [isBusy, setBusy] = useState(false);
  const fields = failure instanceof CallFailed ? failure.fields : new Map<string, string>();
  const changes = (): Values =>
    Object.fromEntries(Object.entries(values).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(start[name])));
  const error = (): string | null => {
    if (failure === null) return null;
    return failure instanceof CallFailed ? failure.beyond(Object.keys(values)) : explain(failure);
  };
  return {
    values,
    set: (name, value) => setValues((old) => ({ ...old, [name]: value })),
    errorOf: (name) => fields.get(name),
    error: error(),
    isBusy,
    isChanged: Object.keys(changes()).length > 0,
    changes,
    async attempt(action) {
      setBusy(true);
      setFailure(null);
      try {
        await action();
        return true;
      } catch (problem) {
        setFailure(problem);
        return false;
      } finally {
        setBusy(false);
      }
    },
    reset(fresh) {
      setStart(fresh);
      setValues(fresh);
      setFailure(null);
    },
  };
}
