/** The list's table. Each row is drawn anew when its VM changed, and only then; long lists draw what is in sight. */
import { Checkbox, Switch, Truncate } from '@patternfly/react-core';
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table';
import { useVirtualizer } from '@tanstack/react-virtual';
import { memo, useCallback, useEffect, useRef } from 'react';
import { Link } from 'wouter';
import { connection } from '../api/connection';
import { explain } from '../api/errors';
import type { Vm } from '../api/types';
import { mebibytes } from '../parts/format';
import { Spark } from '../parts/Spark';
import { StateLabel } from '../parts/StateLabel';
import { VmMenu } from '../parts/VmMenu';
import { useFigures, watchFigures } from '../store/figures';
import { notify } from '../store/notices';
import { usePreferences } from '../store/preferences';
import { text } from '../text';

export const COLUMNS = ['state', 'cpu', 'memory', 'vcpus', 'description', 'autostart', 'bootloader', 'disks', 'id'] as const;
export type Column = (typeof COLUMNS)[number] | 'name';

const KEYS: Partial<Record<Column, (vm: Vm) => number | string>> = {
  name: (vm) => vm.name,
  state: (vm) => vm.status.state,
  memory: (vm) => vm.memory,
  vcpus: (vm) => vm.vcpus * vm.cores * vm.threads,
  description: (vm) => vm.description,
  autostart: (vm) => Number(vm.autostart),
  bootloader: (vm) => vm.bootloader,
  disks: (vm) => disks(vm),
  id: (vm) => vm.id,
};

const disks = (vm: Vm): number => vm.devices.filter(({ attributes }) => ['DISK', 'RAW'].includes(attributes.dtype)).length;

/** In that order; what is equal stays in order of name. */
export function sorted(vms: readonly Vm[], by: Column, isDescending: boolean): Vm[] {
  const key = KEYS[by];
  if (!key) return [...vms];
  const compare = (a: Vm, b: Vm): number => {
    const [left, right] = [key(a), key(b)];
    const order =
      typeof left === 'number' && typeof right === 'number'
        ? left - right
        : String(left).localeCompare(String(right), undefined, { numeric: true });
    return isDescending ? -order : order;
  };
  return [...vms].sort(compare);
}

/** Columns that a phone shows too. */
const ON_PHONES = new Set<Column>(['state', 'memory']);

/** Lists up to this long are drawn whole, so that the browser's own search finds everything. */
const WHOLE = 60;
const ROW_HEIGHT = 57;

interface Props {
  vms: readonly Vm[];
  sort: { by: Column; isDescending: boolean };
  onSort(sort: { by: Column; isDescending: boolean }): void;
  chosen: ReadonlySet<number>;
  onChoose(chosen: ReadonlySet<number>): void;
  mayWrite: boolean;
}

export function VmTable({ vms, sort, onSort, chosen, onChoose, mayWrite }: Props) {
  const preferred = usePreferences((state) => state.columns);
  useEffect(watchFigures, []);
  const hasFigures = useFigures((state) => state.moments.length > 0);
  const columns = COLUMNS.filter((column) => preferred.includes(column) && (column !== 'cpu' || hasFigures));
  const table = useRef<HTMLTableElement>(null);
  const isLong = vms.length > WHOLE;
  const rows = useVirtualizer({
    count: isLong ? vms.length : 0,
    getScrollElement: () => document.getElementById('main'),
    estimateSize: () => ROW_HEIGHT,
    overscan: 12,
    scrollMargin: table.current?.offsetTop ?? 0,
    getItemKey: (index) => vms[index]?.id ?? index,
  });
  const inSight = rows.getVirtualItems();
  const first = inSight[0];
  const above = first ? first.start - rows.options.scrollMargin : 0;
  const below = isLong ? rows.getTotalSize() - (inSight.at(-1)?.end ?? 0) + rows.options.scrollMargin : 0;
  const drawn = isLong ? inSight.flatMap((item) => vms[item.index] ?? []) : vms;

  const choose = useCallback(
    (id: number, isChosen: boolean) => {
      const changed = new Set(chosen);
      if (isChosen) changed.add(id);
      else changed.delete(id);
      onChoose(changed);
    },
    [chosen, onChoose],
  );
  const latest = useRef(choose);
  latest.current = choose;
  const chooseRow = useCallback((id: number, isChosen: boolean) => latest.current(id, isChosen), []);
  const areAll = vms.every((vm) => chosen.has(vm.id));
  const header = (column: Column, name: string) => ({
    sort: KEYS[column]
      ? {
          sortBy: { index: column === sort.by ? 0 : undefined, direction: sort.isDescending ? 'desc' : 'asc' } as const,
          onSort: () => onSort({ by: column, isDescending: sort.by === column && !sort.isDescending }),
          columnIndex: 0,
        }
      : undefined,
    children: name,
  });
  return (
    <Table ref={table} aria-label={text.list.title} variant="compact" gridBreakPoint="grid-md">
      <Thead>
        <Tr>
          {mayWrite && (
            <Th>
              <Checkbox
                id="choose-all"
                aria-label={text.list.selectAll}
                isChecked={areAll ? true : chosen.size > 0 ? null : false}
                onChange={(_, isChosen) => onChoose(new Set(isChosen ? vms.map((vm) => vm.id) : []))}
              />
            </Th>
          )}
          <Th modifier="nowrap" {...header('name', text.list.name)} />
          {columns.map((column) => (
            <Th key={column} modifier="nowrap" {...header(column, text.columns[column])} />
          ))}
          <Th>{text.list.consoles}</Th>
          <Th screenReaderText={text.common.actions} />
        </Tr>
      </Thead>
      <Tbody>
        {above > 0 && <tr style={{ height: above }} />}
        {drawn.map((vm) => (
          <Row
            key={vm.id}
            vm={vm}
            columns={columns.join()}
            isChosen={chosen.has(vm.id)}
            onChoose={chooseRow}
            mayWrite={mayWrite}
          />
        ))}
        {below > 0 && <tr style={{ height: below }} />}
      </Tbody>
    </Table>
  );
}

interface RowProps {
  vm: Vm;
  /** Joined, so that equal columns are equal. */
  columns: string;
  isChosen: boolean;
  onChoose(id: number, isChosen: boolean): void;
  mayWrite: boolean;
}

const Row = memo(function Row({ vm, columns, isChosen, onChoose, mayWrite }: RowProps) {
  const isOn = vm.status.state !== 'STOPPED';
  return (
    <Tr isRowSelected={isChosen}>
      {mayWrite && (
        <Td>
          <Checkbox
            id={`choose-${vm.id}`}
            aria-label={text.common.select(vm.name)}
            isChecked={isChosen}
            onChange={(_, value) => onChoose(vm.id, value)}
          />
        </Td>
      )}
      <Td dataLabel={text.list.name}>
        <Link href={`/vm/${vm.id}`} className="vs-name">
          {vm.name}
        </Link>
      </Td>
      {(columns ? (columns.split(',') as (typeof COLUMNS)[number][]) : []).map((column) => (
        <Td key={column} dataLabel={text.columns[column]} className={ON_PHONES.has(column) ? undefined : 'vs-hide-phone'}>
          <Cell vm={vm} column={column} mayWrite={mayWrite} />
        </Td>
      ))}
      <Td dataLabel={text.list.consoles}>
        {isOn && (
          <span className="vs-links">
            {vm.display_available && <Link href={`/vm/${vm.id}/display`}>{text.list.display}</Link>}
            {mayWrite && <Link href={`/vm/${vm.id}/serial`}>{text.list.serial}</Link>}
          </span>
        )}
      </Td>
      <Td isActionCell>{mayWrite && <VmMenu vm={vm} />}</Td>
    </Tr>
  );
});

function Cell({ vm, column, mayWrite }: { vm: Vm; column: (typeof COLUMNS)[number]; mayWrite: boolean }) {
  switch (column) {
    case 'state':
      return <StateLabel state={vm.status.state} />;
    case 'cpu':
      return vm.status.state === 'STOPPED' ? null : <Spark vm={vm.id} />;
    case 'memory':
      return <span className="vs-number">{mebibytes(vm.memory)}</span>;
    case 'vcpus':
      return vm.vcpus * vm.cores * vm.threads;
    case 'description':
      return vm.description ? <Truncate content={vm.description} /> : null;
    case 'autostart':
      return (
        <Switch
          id={`autostart-${vm.id}`}
          aria-label={`${text.columns.autostart}: ${vm.name}`}
          isChecked={vm.autostart}
          isDisabled={!mayWrite}
          onChange={(_, autostart) => setAutostart(vm, autostart)}
        />
      );
    case 'bootloader':
      return vm.bootloader === 'UEFI' ? 'UEFI' : 'BIOS';
    case 'disks':
      return disks(vm);
    case 'id':
      return vm.id;
  }
}

function setAutostart(vm: Vm, autostart: boolean): void {
  connection
    .call('vm.update', vm.id, { autostart })
    .catch((error: unknown) => notify('danger', text.action.failed(text.columns.autostart, vm.name), explain(error)));
}
