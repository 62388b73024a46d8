import { Label } from '@patternfly/react-core';
import type { State } from '../api/types';
import { text } from '../text';

const LOOK = {
  RUNNING: { color: 'green', status: 'success' },
  STOPPED: { color: 'grey', status: undefined },
  SUSPENDED: { color: 'blue', status: 'info' },
  ERROR: { color: 'red', status: 'danger' },
} as const;

/** A VM's state, in words and with a sign, never by colour alone. */
export function StateLabel({ state }: { state: State }) {
  return (
    <Label isCompact {...LOOK[state]}>
      {text.state[state]}
    </Label>
  );
}
