import {
  Alert,
  Button,
  Form,
  Modal,
  ModalBody,
  ModalHeader,
} from '@patternfly/react-core';
import { Table, Tbody, Td, Th, Thead, Tr } from '@patternfly/react-table';
import { useState } from 'react';
import { connection } from '../../api/connection';
import { explain } from '../../api/errors';
import type { Device, Dtype, Pool, Vm } from '../../api/types';
import { NumberField } from '../../forms/fields';
import { useForm } from '../../forms/useForm';
import { Empty } from '../../parts/Empty';
import { FormFooter } from '../../parts/FormFooter';
import { useMay } from '../../parts/useConnection';
import { useCall } from '../../parts/useCall';
import { ask, notify } from '../../store/notices';
import { text } from '../../text';
import { DEVICE_FIELDS } from './DeviceFields';
import { attributesOf, fresh, known } from './deviceValues';
import { Snapshots } from './Snapshots';
import { summary } from './summary';

const KINDS = Object.keys(text.devices.kinds) as Dtype[];

type Editing = { kind: Dtype; device: Device | null } | 'choosing' | null;

export function Devices({ vm }: { vm: Vm }) {
  const [editing, setEditing] = useState<Editing>(null);
  const mayWrite = useMay('VM_DEVICE_WRITE');
  const isActive = vm.status.state !== 'STOPPED';
  const devices = [...vm.devices].sort((a, b) => a.order - b.order || a.id - b.id);
  const add = mayWrite && <Button onClick={() => setEditing('choosing')}>{text.devices.add}</Button>;
  return (
    <>
      {isActive && <Alert component="p" isInline isPlain variant="info" title={text.devices.running} />}
      <div className="vs-bar">{devices.length > 0 && add}</div>
      {devices.length === 0 ? (
        <Empty title={text.devices.empty} body={text.devices.emptyBody}>
          {add}
        </Empty>
      ) : (
        <Table variant="compact" className="vs-rows" aria-label={text.devices.title} gridBreakPoint="grid-md">
          <Thead>
            <Tr>
              <Th>{text.devices.kind}</Th>
              <Th>{text.devices.what}</Th>
              <Th>{text.devices.order}</Th>
              <Th screenReaderText={text.common.actions} />
            </Tr>
          </Thead>
          <Tbody>
            {devices.map((device) => {
              const kind = device.attributes.dtype;
              const name = `${text.devices.kinds[kind]} ${device.id}`;
              return (
                <Tr key={device.id}>
                  <Td dataLabel={text.devices.kind}>{text.devices.kinds[kind]}</Td>
                  <Td dataLabel={text.devices.what} className="vs-break">
                    {summary(device.attributes)}
                  </Td>
                  <Td dataLabel={text.devices.order} className="vs-number">
                    {device.order}
                  </Td>
                  <Td isActionCell>
                    {mayWrite && (
                      <div className="vs-done">
                        <Button variant="secondary" size="sm" aria-label={`${text.common.edit}: ${name}`} onClick={() => setEditing({ kind, device })}>
                          {text.common.edit}
                        </Button>
                        <Button
                          variant="link"
                          isDanger
                          size="sm"
                          isAriaDisabled={isActive}
                          title={isActive ? text.devices.removeRunning : undefined}
                          aria-label={`${text.common.remove}: ${name}`}
                          onClick={() => void removeDevice(device)}
                        >
                          {text.common.remove}
                        </Button>
                      </div>
                    )}
                  </Td>
                </Tr>
              );
            })}
          </Tbody>
        </Table>
      )}
      <Snapshots vm={vm} />
      {editing === 'choosing' && <KindDialog onChoose={(kind) => setEditing({ kind, device: null })} onClose={() => setEditing(null)} />}
      {editing && editing !== 'choosing' && <Editor vm={vm} kind={editing.kind} device={editing.device} onClose={() => setEditing(null)} />}
    </>
  );
}

function KindDialog({ onChoose, onClose }: { onChoose(kind: Dtype): void; onClose(): void }) {
  return (
    <Modal isOpen variant="medium" onClose={onClose} aria-labelledby="kinds-title">
      <ModalHeader title={text.devices.add} labelId="kinds-title" />
      <ModalBody>
        <div className="vs-tiles">
          {KINDS.map((kind) => (
            <Button key={kind} variant="tertiary" className="vs-tile" onClick={() => onChoose(kind)}>
              <strong>{text.devices.kinds[kind]}</strong>
              <span className="vs-subtle">{text.devices.kindHelp[kind]}</span>
            </Button>
          ))}
        </div>
      </ModalBody>
    </Modal>
  );
}

function Editor(props: { vm: Vm; kind: Dtype; device: Device | null; onClose(): void }) {
  const pools = useCall<Pool[]>('pool.query');
  if (!pools.data && !pools.error) return null;
  return <Loaded {...props} pool={pools.data?.[0]?.name ?? 'default'} />;
}

function Loaded({ vm, kind, device, pool, onClose }: { vm: Vm; kind: Dtype; device: Device | null; pool: string; onClose(): void }) {
  const form = useForm({ ...(device ? known(device) : fresh(kind, vm, pool)), order: device?.order ?? null });
  const Fields = DEVICE_FIELDS[kind];
  const save = async (): Promise<void> => {
    const { order, ...values } = form.values;
    const isDone = await form.attempt(() => {
      if (!device) return connection.call('vm.device.create', { vm: vm.id, attributes: attributesOf(kind, values), order });
      const before = attributesOf(kind, known(device));
      const after = attributesOf(kind, values);
      const changed = Object.entries(after).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(before[name]));
      const attributes = { dtype: kind, ...Object.fromEntries(changed) };
      return connection.call('vm.device.update', device.id, { attributes, ...(order === device.order ? {} : { order }) });
    });
    if (isDone) onClose();
  };
  const name = text.devices.kinds[kind];
  const title = device ? text.devices.edit(name) : text.devices.new(name);
  return (
    <Modal isOpen variant="medium" onClose={onClose} aria-labelledby="device-title">
      <ModalHeader title={title} labelId="device-title" />
      <ModalBody>
        <Form id="device-form" onSubmit={(event) => (event.preventDefault(), void save())}>
          {form.error && <Alert component="p" isInline variant="danger" title={form.error} />}
          <Fields form={form} vm={vm} isNew={!device} />
          <NumberField form={form} name="order" label={text.devices.order} help={text.devices.orderHelp} min={0} />
        </Form>
      </ModalBody>
      <FormFooter form="device-form" label={device ? text.common.save : text.common.add} isBusy={form.isBusy} onClose={onClose} />
    </Modal>
  );
}

async function removeDevice(device: Device): Promise<void> {
  const { attributes } = device;
  const kind = text.devices.kinds[attributes.dtype];
  const path = String(attributes.path ?? '');
  const choice = {
    DISK: { name: 'zvol', label: text.devices.alsoVolume, hint: text.devices.dataLost(path) },
    RAW: { name: 'raw_file', label: text.devices.alsoFile, hint: text.devices.dataLost(path) },
  };
  const given = await ask({
    title: text.devices.removeTitle(kind),
    body: text.devices.removeBody(summary(attributes)),
    confirm: text.common.remove,
    isDangerous: true,
    choices: attributes.dtype === 'DISK' || attributes.dtype === 'RAW' ? [choice[attributes.dtype]] : [],
  });
  if (!given) return;
  try {
    await connection.call('vm.device.delete', device.id, given);
  } catch (error) {
    notify('danger', text.devices.removeTitle(kind), explain(error));
  }
}
