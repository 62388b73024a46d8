import { Label } from '@patternfly/react-core';
import type { Job } from '../api/types';
import { text } from '../text';

const LOOK = {
  WAITING: { color: 'grey', status: undefined },
  RUNNING: { color: 'blue', status: 'info' },
  SUCCESS: { color: 'green', status: 'success' },
  FAILED: { color: 'red', status: 'danger' },
  ABORTED: { color: 'orange', status: 'warning' },
} as const;

export function JobLabel({ job }: { job: Job }) {
  return (
    <Label isCompact {...LOOK[job.state]}>
      {text.jobs.states[job.state]}
    </Label>
  );
}
