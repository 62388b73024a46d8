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
} from '@patternfly/react-core';
import { useEffect } from 'react';
import { useLocation } from 'wouter';
import type { Device, Vm } from '../../api/types';
import { BLUE, Chart, ORANGE } from '../../parts/Chart';
import { bytes, mebibytes, percent } from '../../parts/format';
import { Screenshot } from '../../parts/Screenshot';
import { useCall } from '../../parts/useCall';
import { useFigures, type VmFigures, watchFigures } from '../../store/figures';
import { text } from '../../text';
import { summary } from './summary';

const isLoopback = (address: string): boolean => address.startsWith('127.') || address === '::1';

export function Overview({ vm }: { vm: Vm }) {
  const [, go] = useLocation();
  const open = vm.devices.filter(
    ({ attributes }) => attributes.dtype === 'DISPLAY' && !attributes.password && !isLoopback(String(attributes.bind)),
  );
  const isOn = vm.status.state !== 'STOPPED';
  return (
    <div className="vs-columns">
      {open.map((device) => (
        <Alert component="p"
          key={device.id}
          className="vs-wide"
          isInline
          variant="warning"
          title={text.overview.cautionDisplay(`${device.attributes.bind}:${device.attributes.port}`)}
        />
      ))}
      <Card>
        <CardTitle>{text.overview.screen}</CardTitle>
        <CardBody>
          <Screenshot vm={vm} />
          {isOn && vm.display_available && (
            <Button className="vs-gap" variant="secondary" onClick={() => go(`/vm/${vm.id}/display`)}>
              {text.overview.openDisplay}
            </Button>
          )}
        </CardBody>
      </Card>
      <Card>
        <CardTitle>{text.overview.figures}</CardTitle>
        <CardBody>{isOn ? <Load vm={vm} /> : <p className="vs-subtle">{text.overview.noFigures}</p>}</CardBody>
      </Card>
      <Card>
        <CardTitle>{text.overview.details}</CardTitle>
        <CardBody>
          <Details vm={vm} />
        </CardBody>
      </Card>
      <Card>
        <CardTitle>{text.overview.diskTitle}</CardTitle>
        <CardBody>
          <Some devices={vm.devices.filter(({ attributes }) => ['DISK', 'RAW', 'CDROM'].includes(attributes.dtype))} none={text.overview.noDisks} />
        </CardBody>
        <CardTitle>{text.overview.networkTitle}</CardTitle>
        <CardBody>
          <Some devices={vm.devices.filter(({ attributes }) => attributes.dtype === 'NIC')} none={text.overview.noNics} />
        </CardBody>
      </Card>
    </div>
  );
}

function Some({ devices, none }: { devices: readonly Device[]; none: string }) {
  if (devices.length === 0) return <p className="vs-subtle">{none}</p>;
  return (
    <DescriptionList isCompact isHorizontal>
      {devices.map((device) => (
        <DescriptionListGroup key={device.id}>
          <DescriptionListTerm>{text.devices.kinds[device.attributes.dtype]}</DescriptionListTerm>
          <DescriptionListDescription className="vs-break">{summary(device.attributes)}</DescriptionListDescription>
        </DescriptionListGroup>
      ))}
    </DescriptionList>
  );
}

interface GuestLink {
  name: string;
  ip_addresses: { address: string }[];
}

/** Milliseconds after which a guest is asked again. */
const ASK_AGAIN = 20_000;
const isOfInterest = (address: string): boolean => !isLoopback(address) && !address.startsWith('fe80:');

/** What a guest says its addresses are; null while it says nothing. */
function useAddresses(vm: Vm): string | null {
  const isRunning = vm.status.state === 'RUNNING';
  const { data, reload } = useCall<GuestLink[]>(isRunning ? 'vm.get_guest_network_interfaces' : null, vm.id);
  useEffect(() => {
    if (!isRunning) return undefined;
    const timer = window.setInterval(reload, ASK_AGAIN);
    return () => window.clearInterval(timer);
  }, [isRunning, reload]);
  const found = (data ?? []).flatMap((link) => link.ip_addresses.map(({ address }) => address)).filter(isOfInterest);
  return isRunning && found.length > 0 ? found.join(', ') : null;
}

function Details({ vm }: { vm: Vm }) {
  const firmware = [
    vm.bootloader === 'UEFI' ? 'UEFI' : 'BIOS',
    ...(vm.enable_secure_boot ? [text.overview.secureBoot] : []),
    ...(vm.trusted_platform_module ? [text.overview.tpm] : []),
  ].join(', ');
  const addresses = useAddresses(vm);
  const rows: [string, string | number | null][] = [
    [text.overview.cpu, text.overview.processors(vm.vcpus, vm.cores, vm.threads)],
    [text.overview.memory, mebibytes(vm.memory)],
    [text.overview.firmware, firmware],
    [text.settings.time, text.settings.timeChoices[vm.time]],
    [text.columns.autostart, vm.autostart ? text.common.yes : text.common.no],
    [text.overview.addresses, addresses],
    [text.overview.pid, vm.status.pid],
    [text.overview.uuid, vm.uuid],
    [text.columns.id, vm.id],
  ];
  return (
    <DescriptionList isCompact isHorizontal>
      {rows
        .filter(([, value]) => value !== null)
        .map(([name, value]) => (
          <DescriptionListGroup key={name}>
            <DescriptionListTerm>{name}</DescriptionListTerm>
            <DescriptionListDescription className="vs-break">{value}</DescriptionListDescription>
          </DescriptionListGroup>
        ))}
    </DescriptionList>
  );
}

const rate = (value: number): string => `${bytes(Math.round(value))}/s`;

/** What was measured before the page was opened: one value for each time, which is in milliseconds. */
type History = { time: number[] } & Record<keyof VmFigures, (number | null)[]>;

function Load({ vm }: { vm: Vm }) {
  useEffect(watchFigures, []);
  const moments = useFigures((state) => state.moments);
  const history = useCall<History>('vm.stats_history', vm.id).data;
  const first = moments[0]?.time ?? Infinity;
  const earlier = (history?.time ?? []).map((time) => time / 1000).filter((time) => time < first);
  const own = moments.map((moment): VmFigures | undefined => moment.vms.get(vm.id));
  if (earlier.length === 0 && !own.some(Boolean)) return <p className="vs-subtle">{text.overview.noFiguresYet}</p>;
  const times = [...earlier, ...moments.map(({ time }) => time)];
  const values = (key: keyof VmFigures): (number | null)[] => [
    ...(history?.[key] ?? []).slice(0, earlier.length),
    ...own.map((figures) => figures?.[key] ?? null),
  ];
  const memory = own.at(-1)?.memory_resident ?? 0;
  return (
    <>
      <Chart title={text.overview.cpu} times={times} format={percent} most={100} lines={[{ label: text.overview.cpu, color: BLUE, values: values('cpu_usage') }]} />
      <p className="vs-subtle">{text.overview.memoryHeld(bytes(memory), mebibytes(vm.memory))}</p>
      <Chart
        title={text.overview.disk}
        times={times}
        format={rate}
        lines={[
          { label: text.overview.read, color: BLUE, values: values('disk_read_bytes') },
          { label: text.overview.written, color: ORANGE, values: values('disk_write_bytes') },
        ]}
      />
      <Chart
        title={text.overview.network}
        times={times}
        format={rate}
        lines={[
          { label: text.overview.received, color: BLUE, values: values('network_received_bytes') },
          { label: text.overview.sent, color: ORANGE, values: values('network_sent_bytes') },
        ]}
      />
    </>
  );
}
