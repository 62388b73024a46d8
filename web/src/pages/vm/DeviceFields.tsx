/** The fields of each type of device, with what the server says there is to choose from. */
import { Button, ExpandableSection } from '@patternfly/react-core';
import type { ReactNode } from 'react';
import { connection } from '../../api/connection';
import type { Dtype, Vm } from '../../api/types';
import { NumberField, type Option, optionsOf, SelectField, SizeField, SwitchField, TextField } from '../../forms/fields';
import { PathField } from '../../forms/FilePicker';
import type { Form } from '../../forms/useForm';
import { useCall } from '../../parts/useCall';
import { useVms } from '../../store/vms';
import { text } from '../../text';

interface Props {
  form: Form;
  vm: Vm;
  isNew: boolean;
}

const { fields } = text;
const plain = (...values: string[]): Option[] => values.map((value) => ({ value, label: value }));
const SECTORS = plain('512', '4096');

function More({ children }: { children: ReactNode }) {
  return (
    <ExpandableSection toggleText={fields.more} isIndented>
      <div className="pf-v6-c-form">{children}</div>
    </ExpandableSection>
  );
}

function Block({ form }: { form: Form }) {
  return (
    <More>
      <SelectField form={form} name="iotype" label={fields.iotype} options={plain('THREADS', 'NATIVE', 'IO_URING')} />
      <TextField form={form} name="serial" label={fields.serial} placeholder={text.common.chosen} />
      <SelectField form={form} name="logical_sectorsize" label={fields.logical_sectorsize} nothing={fields.automatic} options={SECTORS} isNumber />
      <SelectField form={form} name="physical_sectorsize" label={fields.physical_sectorsize} nothing={fields.automatic} options={SECTORS} isNumber />
    </More>
  );
}

const Bus = ({ form }: { form: Form }) => <SelectField form={form} name="type" label={fields.type} options={plain('VIRTIO', 'AHCI')} />;

function Disk({ form, vm, isNew }: Props) {
  const { data } = useCall<Record<string, string>>('vm.device.disk_choices');
  const vms = useVms((state) => state.list);
  const holder = new Map(
    vms.filter((each) => each.id !== vm.id).flatMap((each) => each.devices.map(({ attributes }) => [attributes.path, each.name] as const)),
  );
  const options = optionsOf(data).map((option) => {
    const other = holder.get(option.value);
    return other ? { ...option, label: `${option.label} (${other})`, isDisabled: true } : option;
  });
  const isMade = form.values.create_zvol === true;
  return (
    <>
      {isNew && <SwitchField form={form} name="create_zvol" label={fields.create} />}
      {isMade ? (
        <>
          <TextField form={form} name="zvol_name" label={fields.zvol_name} isRequired />
          <SizeField form={form} name="zvol_volsize" label={fields.zvol_volsize} isRequired />
        </>
      ) : (
        <SelectField form={form} name="path" label={fields.volume} options={options} nothing={fields.choose} isRequired />
      )}
      <Bus form={form} />
      <Block form={form} />
    </>
  );
}

function Raw({ form, isNew }: Props) {
  return (
    <>
      {isNew && <SwitchField form={form} name="exists" label={fields.existingFile} />}
      <PathField form={form} name="path" label={fields.path} title={text.files.title} isRequired />
      {(!isNew || form.values.exists !== true) && <SizeField form={form} name="size" label={fields.size} isRequired={isNew} />}
      <Bus form={form} />
      <SwitchField form={form} name="boot" label={fields.boot} />
      <Block form={form} />
    </>
  );
}

const Cdrom = ({ form }: Props) => <PathField form={form} name="path" label={text.create.iso} title={text.create.chooseIso} endings={['.iso', '.img']} isRequired />;

function Nic({ form }: Props) {
  const { data } = useCall<Record<string, string>>('vm.device.nic_attach_choices');
  const renew = async (): Promise<void> => form.set('mac', await connection.call<string>('vm.random_mac'));
  return (
    <>
      <SelectField form={form} name="nic_attach" label={fields.nic_attach} options={optionsOf(data)} nothing={fields.automatic} />
      <SelectField form={form} name="type" label={fields.type} options={plain('VIRTIO', 'E1000')} />
      <TextField
        form={form}
        name="mac"
        label={fields.mac}
        placeholder={text.common.chosen}
        extra={
          <Button variant="secondary" onClick={() => void renew()}>
            {fields.randomMac}
          </Button>
        }
      />
      <SwitchField form={form} name="trust_guest_rx_filters" label={fields.trust_guest_rx_filters} help={fields.trustHelp} />
    </>
  );
}

function Display({ form }: Props) {
  const resolutions = useCall<Record<string, string>>('vm.resolution_choices');
  const addresses = useCall<Record<string, string>>('vm.device.bind_choices');
  return (
    <>
      <SelectField form={form} name="type" label={fields.type} options={plain('SPICE', 'VNC')} />
      <SelectField form={form} name="resolution" label={fields.resolution} options={optionsOf(resolutions.data)} />
      <SwitchField form={form} name="web" label={fields.web} />
      <SwitchField form={form} name="wait" label={fields.wait} />
      <More>
        <SelectField form={form} name="bind" label={fields.bind} options={optionsOf(addresses.data)} />
        <NumberField form={form} name="port" label={fields.port} help={text.common.chosen} min={5900} />
        <TextField form={form} name="password" label={fields.password} type="password" help={fields.passwordHelp} />
      </More>
    </>
  );
}

interface Passthrough {
  description?: string;
  available: boolean;
  error: string | null;
  capability?: { product?: string | null; vendor?: string | null };
}

const offered = (choices: Record<string, Passthrough> | undefined): Option[] =>
  Object.entries(choices ?? {}).map(([value, { description, available, error, capability }]) => {
    const name = description ?? ([capability?.vendor, capability?.product].filter(Boolean).join(' ') || value);
    const label = available ? name : `${name} – ${fields.unavailable(error ?? '')}`;
    return { value, label, isDisabled: !available };
  });

function Pci({ form }: Props) {
  const { data, error } = useCall<Record<string, Passthrough>>('vm.device.passthrough_device_choices');
  return <SelectField form={form} name="pptdev" label={fields.pptdev} options={offered(data)} nothing={fields.choose} help={error} isRequired />;
}

function Usb({ form }: Props) {
  const { data, error } = useCall<Record<string, Passthrough>>('vm.device.usb_passthrough_choices');
  const controllers = useCall<Record<string, string>>('vm.device.usb_controller_choices');
  const isById = form.values.by === 'id';
  const ways: Option[] = [
    { value: 'device', label: fields.usbByDevice },
    { value: 'id', label: fields.usbById },
  ];
  return (
    <>
      <SelectField form={form} name="by" label={fields.usbBy} options={ways} />
      {isById ? (
        <>
          <TextField form={form} name="vendor_id" label={fields.vendor_id} placeholder="0x1234" isRequired />
          <TextField form={form} name="product_id" label={fields.product_id} placeholder="0x1234" isRequired />
        </>
      ) : (
        <SelectField form={form} name="device" label={fields.device} options={offered(data)} nothing={fields.choose} help={error} isRequired />
      )}
      <SelectField form={form} name="controller_type" label={fields.controller_type} options={optionsOf(controllers.data)} />
    </>
  );
}

export const DEVICE_FIELDS: Record<Dtype, (props: Props) => ReactNode> = {
  DISK: Disk,
  RAW: Raw,
  CDROM: Cdrom,
  NIC: Nic,
  DISPLAY: Display,
  PCI: Pci,
  USB: Usb,
};
