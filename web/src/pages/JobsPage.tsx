import { Button, PageSection, Progress, Title } from '@patternfly/react-core';
import TasksIcon from '@patternfly/react-icons/dist/esm/icons/tasks-icon';
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table';
import { useMemo } from 'react';
import { connection } from '../api/connection';
import { explain } from '../api/errors';
import { type Job, time } from '../api/types';
import { Empty } from '../parts/Empty';
import { clock, duration } from '../parts/format';
import { JobLabel } from '../parts/JobLabel';
import { isActive, newestFirst, useJobs } from '../store/jobs';
import { notify } from '../store/notices';
import { text } from '../text';

const abort = (job: Job): void => {
  connection.call('core.job_abort', job.id).catch((error: unknown) => notify('danger', text.jobs.abort, explain(error)));
};

/** What this page itself asks for when a log is shown. */
const READING = 'vm.log_file_download';

function took(job: Job): string {
  const [start, end] = [time(job.time_started), time(job.time_finished)];
  return start !== null && end !== null ? duration(end - start) : '';
}

export default function JobsPage() {
  const byId = useJobs((state) => state.byId);
  const jobs = useMemo(() => newestFirst(byId).filter(({ method }) => method !== READING), [byId]);
  return (
    <>
      <PageSection>
        <Title headingLevel="h1">{text.jobs.title}</Title>
        <p className="vs-subtle">{text.jobs.subtitle}</p>
      </PageSection>
      <PageSection isFilled>
        {jobs.length === 0 ? (
          <Empty title={text.jobs.empty} icon={TasksIcon} />
        ) : (
          <Table variant="compact" className="vs-rows" aria-label={text.jobs.title} gridBreakPoint="grid-md">
            <Thead>
              <Tr>
                <Th>{text.columns.id}</Th>
                <Th>{text.jobs.method}</Th>
                <Th width={40}>{text.jobs.state}</Th>
                <Th>{text.jobs.started}</Th>
                <Th>{text.jobs.took}</Th>
                <Th>{text.jobs.by}</Th>
                <Th screenReaderText={text.common.actions} />
              </Tr>
            </Thead>
            <Tbody>
              {jobs.map((job) => (
                <Tr key={job.id}>
                  <Td dataLabel={text.columns.id}>{job.id}</Td>
                  <Td dataLabel={text.jobs.method}>
                    <code className="vs-break">{job.method}</code>
                  </Td>
                  <Td dataLabel={text.jobs.state}>
                    {job.state === 'RUNNING' ? (
                      <Progress
                        size="sm"
                        value={job.progress.percent ?? 0}
                        title={job.progress.description || text.jobs.states.RUNNING}
                        aria-label={job.method}
                      />
                    ) : (
                      <span className="vs-title">
                        <JobLabel job={job} />
                        <span className="vs-break vs-subtle">{job.error ?? job.progress.description}</span>
                      </span>
                    )}
                  </Td>
                  <Td dataLabel={text.jobs.started} className="vs-number">
                    {clock(time(job.time_started))}
                  </Td>
                  <Td dataLabel={text.jobs.took} className="vs-number">
                    {took(job)}
                  </Td>
                  <Td dataLabel={text.jobs.by}>{job.credentials?.data.username ?? ''}</Td>
                  <Td isActionCell>
                    {isActive(job) && (
                      <Button variant="secondary" isDanger size="sm" aria-label={`${text.jobs.abort}: ${job.method} ${job.id}`} onClick={() => abort(job)}>
                        {text.jobs.abort}
                      </Button>
                    )}
                  </Td>
                </Tr>
              ))}
            </Tbody>
          </Table>
        )}
      </PageSection>
    </>
  );
}
