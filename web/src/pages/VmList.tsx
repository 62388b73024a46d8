import {
  Button,
  MenuToggle,
  PageSection,
  SearchInput,
  Select,
  SelectList,
  SelectOption,
  FormSelect,
  FormSelectOption,
  Title,
  Toolbar,
  ToolbarContent,
  ToolbarGroup,
  ToolbarItem,
} from '@patternfly/react-core';
import CubesIcon from '@patternfly/react-icons/dist/esm/icons/cubes-icon';
import SearchIcon from '@patternfly/react-icons/dist/esm/icons/search-icon';
import { useDeferredValue, useMemo, useState } from 'react';
import { useLocation } from 'wouter';
import type { State, Vm } from '../api/types';
import { Busy, Empty } from '../parts/Empty';
import { useMay } from '../parts/useConnection';
import { type Action, actOnAll, POSSIBLE } from '../store/actions';
import { usePreferences } from '../store/preferences';
import { useVms } from '../store/vms';
import { text } from '../text';
import { type Column, COLUMNS, sorted, VmTable } from './VmTable';

const BULK: readonly Action[] = ['start', 'stop', 'restart', 'poweroff'];
const STATES: readonly State[] = ['RUNNING', 'STOPPED', 'SUSPENDED', 'ERROR'];

const matches = (vm: Vm, words: readonly string[]): boolean => {
  const haystack = [vm.name, vm.description, ...vm.devices.map((device) => device.attributes.path ?? device.attributes.mac ?? '')]
    .join(' ')
    .toLowerCase();
  return words.every((word) => haystack.includes(word));
};

export function VmList() {
  const { list, isLoaded, error } = useVms();
  const [filter, setFilter] = useState('');
  const [state, setState] = useState<State | ''>('');
  const [sort, setSort] = useState<{ by: Column; isDescending: boolean }>({ by: 'name', isDescending: false });
  const [chosen, setChosen] = useState<ReadonlySet<number>>(new Set());
  const mayWrite = useMay('VM_WRITE');
  const [, go] = useLocation();
  const sought = useDeferredValue(filter);
  const shown = useMemo(() => {
    const words = sought.toLowerCase().split(/\s+/).filter(Boolean);
    const found = list.filter((vm) => (!state || vm.status.state === state) && matches(vm, words));
    return sorted(found, sort.by, sort.isDescending);
  }, [list, sought, state, sort]);
  const running = useMemo(() => list.filter((vm) => vm.status.state === 'RUNNING').length, [list]);
  const selected = list.filter((vm) => chosen.has(vm.id));

  if (!isLoaded) return error ? <Empty isPage title={error} status="danger" /> : <Busy />;
  const create = mayWrite && <Button onClick={() => go('/create')}>{text.list.create}</Button>;
  return (
    <>
      <PageSection>
        <div className="vs-title">
          <Title headingLevel="h1">{text.list.title}</Title>
          <span className="vs-subtle" role="status">
            {text.list.count(shown.length, list.length)}
            {running > 0 && ` · ${text.list.running(running)}`}
          </span>
          <span className="vs-push">{create}</span>
        </div>
      </PageSection>
      <PageSection isFilled>
        {list.length === 0 ? (
          <Empty title={text.list.emptyTitle} body={text.list.emptyBody} icon={CubesIcon}>
            {create}
          </Empty>
        ) : (
          <>
            <Toolbar>
              <ToolbarContent>
                <ToolbarItem data-filter>
                  <SearchInput
                    aria-label={text.list.search}
                    placeholder={text.list.search}
                    value={filter}
                    resetButtonLabel={text.list.clear}
                    onChange={(_, value) => setFilter(value)}
                    onClear={() => setFilter('')}
                  />
                </ToolbarItem>
                <ToolbarItem>
                  <FormSelect
                    aria-label={text.list.stateFilter}
                    value={state}
                    onChange={(_, value) => setState(value as State | '')}
                  >
                    <FormSelectOption value="" label={text.list.all} />
                    {STATES.map((each) => (
                      <FormSelectOption key={each} value={each} label={text.state[each]} />
                    ))}
                  </FormSelect>
                </ToolbarItem>
                <ToolbarItem className="vs-hide-phone">
                  <ColumnChooser />
                </ToolbarItem>
                {selected.length > 0 && (
                  <ToolbarGroup variant="action-group" align={{ default: 'alignEnd' }}>
                    <ToolbarItem alignSelf="center">{text.list.selected(selected.length)}</ToolbarItem>
                    {BULK.map((action) => {
                      const able = selected.filter((vm) => POSSIBLE[vm.status.state].includes(action));
                      return (
                        <ToolbarItem key={action}>
                          <Button
                            variant="secondary"
                            isDanger={action === 'poweroff'}
                            isDisabled={able.length === 0}
                            onClick={() => void actOnAll(action, able)}
                          >
                            {text.action[action]}
                          </Button>
                        </ToolbarItem>
                      );
                    })}
                  </ToolbarGroup>
                )}
              </ToolbarContent>
            </Toolbar>
            {shown.length === 0 ? (
              <Empty title={text.list.noMatchTitle} body={text.list.noMatchBody} icon={SearchIcon}>
                <Button variant="link" onClick={() => (setFilter(''), setState(''))}>
                  {text.list.clear}
                </Button>
              </Empty>
            ) : (
              <VmTable vms={shown} sort={sort} onSort={setSort} chosen={chosen} onChoose={setChosen} mayWrite={mayWrite} />
            )}
          </>
        )}
      </PageSection>
    </>
  );
}

function ColumnChooser() {
  const columns = usePreferences((state) => state.columns);
  const [isOpen, setOpen] = useState(false);
  const flip = (column: string): void => {
    const others = columns.filter((each) => each !== column);
    usePreferences.setState({ columns: columns.includes(column) ? others : [...others, column] });
  };
  return (
    <Select
      role="menu"
      isOpen={isOpen}
      onOpenChange={setOpen}
      onSelect={(_, column) => flip(String(column))}
      toggle={(ref) => (
        <MenuToggle ref={ref} isExpanded={isOpen} onClick={() => setOpen(!isOpen)}>
          {text.list.columns}
        </MenuToggle>
      )}
    >
      <SelectList>
        {COLUMNS.map((column) => (
          <SelectOption key={column} value={column} hasCheckbox isSelected={columns.includes(column)}>
            {text.columns[column]}
          </SelectOption>
        ))}
      </SelectList>
    </Select>
  );
}
