import { Alert, Button, Form, Modal, ModalBody, ModalHeader, Title } from '@patternfly/react-core';
import { Td, Tr } from '@patternfly/react-table';
import { useMemo, useState } from 'react';
import { connection } from '../../api/connection';
import { explain } from '../../api/errors';
import { type DateValue, time, type Vm } from '../../api/types';
import { TextField } from '../../forms/fields';
import { useForm } from '../../forms/useForm';
import { FormFooter } from '../../parts/FormFooter';
import { bytes, clock } from '../../parts/format';
import { Rows } from '../../parts/Rows';
import { useLive } from '../../parts/useCall';
import { useMay } from '../../parts/useConnection';
import { ask, notify } from '../../store/notices';
import { text } from '../../text';

const { snapshots: words } = text;

interface Snapshot {
  id: string;
  dataset: string;
  snapshot_name: string;
  createtxg: string;
  properties: { creation: { parsed: DateValue }; used: { parsed: number } };
}

/** Snapshots of one name: together they are what the VM's volumes were at a time. */
interface Kept {
  name: string;
  of: Snapshot[];
}

const VOLUMES = '/dev/zvol/';

/** The volumes that a VM has as disks. */
function volumesOf(vm: Vm): string[] {
  const paths = vm.devices.filter(({ attributes }) => attributes.dtype === 'DISK').map(({ attributes }) => String(attributes.path ?? ''));
  return [...new Set(paths.filter((path) => path.startsWith(VOLUMES)).map((path) => path.slice(VOLUMES.length)))];
}

function byName(found: readonly Snapshot[]): Kept[] {
  const names = new Map<string, Snapshot[]>();
  for (const each of found) names.set(each.snapshot_name, [...(names.get(each.snapshot_name) ?? []), each]);
  return [...names].map(([name, of]) => ({ name, of }));
}

/** Do something with several, one after the other; where one fails, `undo` is done with those before it. */
async function withAll<T>(all: readonly T[], act: (each: T) => Promise<unknown>, undo: (each: T) => Promise<unknown>): Promise<void> {
  const done: T[] = [];
  try {
    for (const each of all) {
      await act(each);
      done.push(each);
    }
  } catch (error) {
    await Promise.allSettled(done.map(undo));
    throw error;
  }
}

/** What a VM's volumes were at a time: kept, forgotten, and made volumes of. */
export function Snapshots({ vm }: { vm: Vm }) {
  const volumes = volumesOf(vm);
  return useMay('SNAPSHOT_READ') && volumes.length > 0 ? <OfVolumes vm={vm} volumes={volumes} /> : null;
}

function OfVolumes({ vm, volumes }: { vm: Vm; volumes: string[] }) {
  const mayWrite = useMay('SNAPSHOT_WRITE');
  const mayDelete = useMay('SNAPSHOT_DELETE');
  const [isTaking, setTaking] = useState(false);
  const found = useLive<Snapshot[]>('pool.snapshot.query', [['dataset', 'in', volumes]], { order_by: ['-createtxg', 'id'] });
  const kept = useMemo(() => found.data && byName(found.data), [found.data]);
  return (
    <>
      <Title headingLevel="h2" size="lg" className="vs-apart">
        {words.title}
      </Title>
      <div className="vs-bar">{mayWrite && <Button variant="secondary" onClick={() => setTaking(true)}>{words.take}</Button>}</div>
      <Rows label={words.title} called={{ ...found, data: kept }} none={words.none} columns={[words.name, words.volumes, words.taken, words.used]}>
        {({ name, of }: Kept) => (
          <Tr key={name}>
            <Td dataLabel={words.name} className="vs-break">
              {name}
            </Td>
            <Td dataLabel={words.volumes} className="vs-break">
              {of.map(({ dataset }) => dataset).join(', ')}
            </Td>
            <Td dataLabel={words.taken}>{clock(time(of[0]?.properties.creation.parsed))}</Td>
            <Td dataLabel={words.used} className="vs-number">
              {bytes(of.reduce((sum, { properties }) => sum + properties.used.parsed, 0))}
            </Td>
            <Td isActionCell modifier="nowrap">
              <div className="vs-done">
                {mayWrite && (
                  <Button variant="secondary" size="sm" aria-label={`${words.copy}: ${name}`} onClick={() => void copy(name, of)}>
                    {words.copy}
                  </Button>
                )}
                {mayWrite && (
                  <Button variant="secondary" size="sm" aria-label={`${words.rollBack}: ${name}`} onClick={() => void rollBack(name, of, found.data ?? [])}>
                    {words.rollBack}
                  </Button>
                )}
                {mayDelete && (
                  <Button variant="link" isDanger size="sm" aria-label={`${text.common.delete}: ${name}`} onClick={() => void forget(name, of)}>
                    {text.common.delete}
                  </Button>
                )}
              </div>
            </Td>
          </Tr>
        )}
      </Rows>
      {isTaking && <TakeDialog vm={vm} volumes={volumes} onClose={() => setTaking(false)} />}
    </>
  );
}

const remove = (id: string): Promise<unknown> => connection.call('pool.snapshot.delete', id);

/** A name that says when, in the reader's time: 2026-05-01_09-30-00. */
function now(): string {
  const date = new Date();
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19).replace('T', '_').replaceAll(':', '-');
}

function TakeDialog({ vm, volumes, onClose }: { vm: Vm; volumes: string[]; onClose(): void }) {
  const form = useForm({ name: now() });
  const take = async (): Promise<void> => {
    const name = String(form.values.name);
    const one = (dataset: string): Promise<unknown> => connection.call('pool.snapshot.create', { dataset, name });
    if (await form.attempt(() => withAll(volumes, one, (dataset) => remove(`${dataset}@${name}`)))) onClose();
  };
  const isOn = vm.status.state !== 'STOPPED';
  return (
    <Modal isOpen variant="small" onClose={onClose} aria-labelledby="take-title">
      <ModalHeader title={words.takeOf(vm.name)} labelId="take-title" />
      <ModalBody>
        <Form id="take-form" onSubmit={(event) => (event.preventDefault(), void take())}>
          {form.error && <Alert component="p" isInline variant="danger" title={form.error} />}
          {isOn && <Alert component="p" isInline variant="info" title={vm.suspend_on_snapshot ? words.halts : words.goesOn} />}
          <TextField form={form} name="name" label={words.name} help={words.of(volumes.join(', '))} isRequired />
        </Form>
      </ModalBody>
      <FormFooter form="take-form" label={words.take} isBusy={form.isBusy} isReady={Boolean(form.values.name)} onClose={onClose} />
    </Modal>
  );
}

async function forget(name: string, of: readonly Snapshot[]): Promise<void> {
  const title = words.deleteTitle(name);
  const items = of.map(({ id }) => id);
  if (!(await ask({ title, body: words.deleteBody, items, confirm: text.common.delete, isDangerous: true }))) return;
  try {
    for (const id of items) await remove(id);
  } catch (error) {
    notify('danger', title, explain(error));
  }
}

/** Make volumes as the snapshot has them, beside those that the VM goes on with. */
async function copy(name: string, of: readonly Snapshot[]): Promise<void> {
  const title = words.copyTitle(name);
  const made = (each: Snapshot): string => `${each.dataset}-${each.snapshot_name}`;
  const items = of.map(made);
  if (!(await ask({ title, body: words.copyBody, items, confirm: words.copy }))) return;
  try {
    await withAll(
      of,
      (each) => connection.call('pool.snapshot.clone', { snapshot: each.id, dataset_dst: made(each) }),
      (each) => connection.call('pool.dataset.delete', made(each)),
    );
    notify('success', words.copied(items.join(', ')));
  } catch (error) {
    notify('danger', title, explain(error));
  }
}

/** Let the VM's volumes be again as the snapshot has them. `all`: what there is, of which the newer ones go. */
async function rollBack(name: string, of: readonly Snapshot[], all: readonly Snapshot[]): Promise<void> {
  const title = words.rollBackTitle(name);
  const isLater = (each: Snapshot): boolean => of.some(({ dataset, createtxg }) => each.dataset === dataset && BigInt(each.createtxg) > BigInt(createtxg));
  const lost = all.filter(isLater).map(({ id }) => id);
  const body = lost.length > 0 ? words.rollBackLoses : words.rollBackBody;
  if (!(await ask({ title, body, items: lost, confirm: words.rollBack, isDangerous: true }))) return;
  const done: string[] = [];
  try {
    for (const { id, dataset } of of) {
      await connection.call('pool.snapshot.rollback', id, { recursive: lost.length > 0 });
      done.push(dataset);
    }
    notify('success', words.rolledBack(done.join(', '), name));
  } catch (error) {
    notify('danger', title, done.length > 0 ? `${explain(error)} ${words.rolledBack(done.join(', '), name)}` : explain(error));
  }
}
