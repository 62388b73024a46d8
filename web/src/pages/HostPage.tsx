import {
  Alert,
  AlertActionLink,
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
import { connection } from '../api/connection';
import { explain } from '../api/errors';
import { type DateValue, type Pool, time } from '../api/types';
import { BLUE, Chart } from '../parts/Chart';
import { Busy } from '../parts/Empty';
import { bytes, clock, percent } from '../parts/format';
import { useCall } from '../parts/useCall';
import { useFigures, watchFigures } from '../store/figures';
import { notify } from '../store/notices';
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
          <Attention />
          <Readiness />
          <Machine />
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

interface Alarm {
  uuid: string;
  level: string;
  text: string;
  dismissed: boolean;
}

function Attention() {
  const { data, reload } = useCall<Alarm[]>('alert.list');
  useEffect(() => connection.listen('alert.list', reload), [reload]);
  const dismiss = (alarm: Alarm): void => {
    connection.call('alert.dismiss', alarm.uuid).then(reload, (error: unknown) => notify('danger', text.host.dismiss, explain(error)));
  };
  return data
    ?.filter((alarm) => !alarm.dismissed)
    .map((alarm) => (
      <Alert
        component="p"
        key={alarm.uuid}
        className="vs-wide"
        isInline
        variant={alarm.level === 'NOTICE' ? 'info' : alarm.level === 'WARNING' ? 'warning' : 'danger'}
        title={alarm.text}
        actionLinks={<AlertActionLink onClick={() => dismiss(alarm)}>{text.host.dismiss}</AlertActionLink>}
      />
    ));
}

interface Info {
  hostname: string;
  model: string;
  cores: number;
  physical_cores: number;
  physmem: number;
  boottime: DateValue;
  system_manufacturer: string | null;
  system_product: string | null;
}

function Machine() {
  const { data } = useCall<Info>('system.info');
  if (!data) return null;
  const rows: [string, string][] = [
    [text.host.name, data.hostname],
    [text.host.machine, [data.system_manufacturer, data.system_product].filter(Boolean).join(' ')],
    [text.host.processor, `${data.model} (${text.host.threads(data.physical_cores, data.cores)})`],
    [text.host.memory, bytes(data.physmem)],
    [text.host.up, clock(time(data.boottime))],
  ];
  return (
    <Card>
      <CardTitle>{text.host.machine}</CardTitle>
      <CardBody>
        <DescriptionList isHorizontal isCompact>
          {rows
            .filter(([, value]) => value)
            .map(([name, value]) => (
              <DescriptionListGroup key={name}>
                <DescriptionListTerm>{name}</DescriptionListTerm>
                <DescriptionListDescription className="vs-break">{value}</DescriptionListDescription>
              </DescriptionListGroup>
            ))}
        </DescriptionList>
      </CardBody>
    </Card>
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
