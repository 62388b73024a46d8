import {
  Alert,
  Button,
  Card,
  CardBody,
  CardTitle,
  DescriptionList,
  DescriptionListDescription,
  DescriptionListGroup,
  DescriptionListTerm,
  Label,
  PageSection,
  Progress,
  Title,
} from '@patternfly/react-core';
import { useEffect } from 'react';
import type { Pool } from '../api/types';
import { Chart } from '../parts/Chart';
import { Busy } from '../parts/Empty';
import { bytes, percent } from '../parts/format';
import { useCall } from '../parts/useCall';
import { useFigures, watchFigures } from '../store/figures';
import { useVms } from '../store/vms';
import { text } from '../text';

interface Finding {
  name: string;
  verdict: 'GOOD' | 'POOR' | 'MISSING';
  text: string;
  mend: string | null;
}

const LOOK = {
  GOOD: { color: 'green', status: 'success' },
  POOR: { color: 'orange', status: 'warning' },
  MISSING: { color: 'red', status: 'danger' },
} as const;

export default function HostPage() {
  return (
    <>
      <PageSection>
        <Title headingLevel="h1">{text.host.title}</Title>
      </PageSection>
      <PageSection isFilled>
        <div className="vs-columns">
          <Acceleration />
          <Readiness />
          <Load />
          <Memory />
          <Pools />
        </div>
      </PageSection>
    </>
  );
}

function Acceleration() {
  const { data } = useCall<{ supported: boolean; error: string | null }>('vm.virtualization_details');
  if (!data) return null;
  return (
    <Alert component="p"
      className="vs-wide"
      isInline
      variant={data.supported ? 'success' : 'warning'}
      title={data.supported ? text.host.kvm : text.host.emulated}
    >
      {data.error}
    </Alert>
  );
}

function Readiness() {
  const { data, error, isUnknown, reload } = useCall<Finding[]>('system.readiness');
  return (
    <Card className="vs-wide">
      <CardTitle>
        <div className="vs-title">
          {text.host.readiness}
          <Button className="vs-push" variant="link" isInline onClick={reload}>
            {text.host.check}
          </Button>
        </div>
      </CardTitle>
      <CardBody>
        {error && <p className="vs-subtle">{isUnknown ? text.common.unavailable : error}</p>}
        {!data && !error && <Busy />}
        {data && (
          <DescriptionList isHorizontal isCompact>
            {data.map((finding, index) => (
              <DescriptionListGroup key={`${finding.name}-${index}`}>
                <DescriptionListTerm>
                  <Label isCompact {...LOOK[finding.verdict]}>
                    {finding.name}
                  </Label>
                </DescriptionListTerm>
                <DescriptionListDescription className="vs-break">
                  {finding.text}
                  {finding.mend && (
                    <p className="vs-subtle">
                      {text.host.mend}: <code>{finding.mend}</code>
                    </p>
                  )}
                </DescriptionListDescription>
              </DescriptionListGroup>
            ))}
          </DescriptionList>
        )}
      </CardBody>
    </Card>
  );
}

const BLUE = '--pf-t--chart--color--blue--300';

function Load() {
  useEffect(watchFigures, []);
  const moments = useFigures((state) => state.moments);
  if (moments.length === 0) return null;
  const times = moments.map(({ time }) => time);
  const most = moments.at(-1)?.host.memory_total || 1;
  return (
    <Card>
      <CardTitle>{text.host.load}</CardTitle>
      <CardBody>
        <Chart title={text.host.cpu} times={times} format={percent} most={100} lines={[{ label: text.host.cpu, color: BLUE, values: moments.map(({ host }) => host.cpu) }]} />
        <Chart
          title={text.host.memory}
          times={times}
          format={bytes}
          most={most}
          lines={[{ label: text.host.memory, color: BLUE, values: moments.map(({ host }) => host.memory_total - host.memory_available) }]}
        />
      </CardBody>
    </Card>
  );
}

function Memory() {
  const { data, reload } = useCall<number>('vm.get_available_memory');
  const running = useVms((state) =>
    state.list.filter((vm) => vm.status.state !== 'STOPPED').reduce((sum, vm) => sum + vm.memory * 2 ** 20, 0),
  );
  useEffect(reload, [running]);
  return (
    <Card>
      <CardTitle>{text.host.memory}</CardTitle>
      <CardBody>
        <DescriptionList isHorizontal isCompact>
          <DescriptionListGroup>
            <DescriptionListTerm>{text.host.memoryFree}</DescriptionListTerm>
            <DescriptionListDescription>{data === undefined ? '' : bytes(data)}</DescriptionListDescription>
          </DescriptionListGroup>
          <DescriptionListGroup>
            <DescriptionListTerm>{text.host.memoryRunning}</DescriptionListTerm>
            <DescriptionListDescription>{bytes(running)}</DescriptionListDescription>
          </DescriptionListGroup>
        </DescriptionList>
      </CardBody>
    </Card>
  );
}

function Pools() {
  const { data, error } = useCall<Pool[]>('pool.query');
  return (
    <Card>
      <CardTitle>{text.host.pools}</CardTitle>
      <CardBody>
        {error && <p className="vs-subtle">{error}</p>}
        {data?.map((pool) => (
          <Progress
            key={pool.name}
            title={`${pool.name} · ${text.host.used(bytes(pool.size - pool.free), bytes(pool.size))}`}
            value={Math.round((100 * (pool.size - pool.free)) / Math.max(pool.size, 1))}
            aria-label={pool.name}
          />
        ))}
      </CardBody>
    </Card>
  );
}
