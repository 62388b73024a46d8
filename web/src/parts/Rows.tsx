import { Table, Tbody, Th, Thead, Tr } from '@patternfly/react-table';
import type { ReactNode } from 'react';
import { text } from '../text';
import { Busy, Empty } from './Empty';
import type { Called } from './useCall';

interface Props<T> {
  label: string;
  called: Called<T[]>;
  columns: string[];
  /** What to say where there are none. */
  none: string;
  children(row: T): ReactNode;
}

/** A table of what a method answers with. The last column is that of what can be done. */
export function Rows<T>({ label, called, columns, none, children }: Props<T>) {
  if (called.error && !called.data) return <Empty title={called.isUnknown ? text.common.unavailable : called.error} />;
  if (!called.data) return <Busy />;
  if (called.data.length === 0) return <Empty title={none} />;
  return (
    <Table variant="compact" className="vs-rows" aria-label={label} gridBreakPoint="grid-md">
      <Thead>
        <Tr>
          {columns.map((column) => (
            <Th key={column}>{column}</Th>
          ))}
          <Th screenReaderText={text.common.actions} />
        </Tr>
      </Thead>
      <Tbody>{called.data.map(children)}</Tbody>
    </Table>
  );
}
