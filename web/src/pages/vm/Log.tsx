import { Button, Card, CardBody, CardTitle, Label } from '@patternfly/react-core';
import { useCallback, useEffect, useState } from 'react';
import { connection } from '../../api/connection';
import { explain } from '../../api/errors';
import { download } from '../../api/files';
import { type Job, time, type Vm } from '../../api/types';
import { clock } from '../../parts/format';
import { type Taken, useTaken } from '../../store/events';
import { runJob, useJobs } from '../../store/jobs';
import { notify } from '../../store/notices';
import { text } from '../../text';
import { JobLabel } from '../../parts/JobLabel';

const NONE: readonly Taken[] = [];

/** What happened to the VM while this page was open, and its jobs since the server started. */
export function Log({ vm }: { vm: Vm }) {
  const events = useTaken((state) => state.byVm.get(vm.id) ?? NONE);
  const jobs = useJobs((state) => state.byId);
  const own = [...jobs.values()].filter((job) => job.method.startsWith('vm.') && job.arguments[0] === vm.id && job.method !== 'vm.log_file_download');
  const rows = [
    ...events.map((event) => ({ at: event.at, what: text.state[event.state], job: null as Job | null })),
    ...own.map((job) => ({ at: time(job.time_started) ?? 0, what: job.method, job })),
  ].sort((a, b) => b.at - a.at);
  return (
    <div className="vs-columns">
      <Card>
        <CardTitle>{text.log.events}</CardTitle>
        <CardBody>
          {rows.length === 0 && <p className="vs-subtle">{text.log.noEvents}</p>}
          <ul>
            {rows.map(({ at, what, job }) => (
              <li key={`${at}-${what}`} className="vs-title">
                <span className="vs-number vs-subtle">{clock(at)}</span> {job ? <code>{what}</code> : <Label isCompact>{what}</Label>}
                {job && <JobLabel job={job} />}
                {job?.error && <span className="vs-break">{job.error}</span>}
              </li>
            ))}
          </ul>
        </CardBody>
      </Card>
      <QemuLog vm={vm} />
    </div>
  );
}

function QemuLog({ vm }: { vm: Vm }) {
  const [content, setContent] = useState<string | null>(null);
  const load = useCallback(() => {
    runJob('vm.log_file_download', vm.id).then(
      (result) => setContent(typeof result === 'string' ? result : ''),
      (error: unknown) => setContent(explain(error)),
    );
  }, [vm.id]);
  useEffect(() => connection.whenReady(load), [load, vm.status.state]);
  const save = (): void => {
    download('vm.log_file_download', [vm.id], `${vm.name}.log`).catch((error: unknown) =>
      notify('danger', text.log.download, explain(error)),
    );
  };
  return (
    <Card>
      <CardTitle>
        <div className="vs-title">
          {text.log.file}
          <Button className="vs-push" variant="link" isInline onClick={load}>
            {text.log.refresh}
          </Button>
          <Button variant="link" isInline onClick={save}>
            {text.log.download}
          </Button>
        </div>
      </CardTitle>
      <CardBody>
        <pre className="vs-log" tabIndex={0} aria-label={text.log.file}>
          {content || text.log.empty}
        </pre>
      </CardBody>
    </Card>
  );
}
