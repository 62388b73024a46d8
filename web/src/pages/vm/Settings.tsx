import { ActionGroup, Alert, Button, ExpandableSection, Form, FormSection } from '@patternfly/react-core';
import { connection } from '../../api/connection';
import type { Vm } from '../../api/types';
import { NumberField, optionsOf, SelectField, SizeField, SwitchField, TextField } from '../../forms/fields';
import { useForm, type Values } from '../../forms/useForm';
import { useMay } from '../../parts/useConnection';
import { useCall } from '../../parts/useCall';
import { notify } from '../../store/notices';
import { text } from '../../text';

const NAMES = [
  'name',
  'description',
  'memory',
  'min_memory',
  'vcpus',
  'cores',
  'threads',
  'autostart',
  'time',
  'bootloader',
  'cpu_mode',
  'cpu_model',
  'cpuset',
  'nodeset',
  'hugepages',
  'pin_vcpus',
  'shutdown_timeout',
  'hyperv_enlightenments',
  'trusted_platform_module',
  'enable_secure_boot',
  'ensure_display_device',
  'hide_from_msr',
  'suspend_on_snapshot',
  'command_line_args',
];
/** Bytes of what the API counts memory in. */
const MIB = 2 ** 20;

const valuesOf = (vm: Vm): Values => Object.fromEntries(NAMES.map((name) => [name, vm[name]]));

const { settings } = text;

export function Settings({ vm }: { vm: Vm }) {
  const form = useForm(valuesOf(vm));
  const mayWrite = useMay('VM_WRITE');
  const mayArguments = useMay('VM_COMMAND_LINE_ARGS');
  const models = useCall<Record<string, string>>('vm.cpu_model_choices');
  const loaders = useCall<Record<string, string>>('vm.bootloader_options');
  const isActive = vm.status.state !== 'STOPPED';
  const save = async (): Promise<void> => {
    const changes = Object.fromEntries(
      Object.entries(form.changes()).map(([name, value]) => [name, value === '' && ['cpuset', 'nodeset', 'cpu_model', 'hugepages'].includes(name) ? null : value]),
    );
    let saved: Vm | null = null;
    const isDone = await form.attempt(async () => {
      saved = await connection.call<Vm>('vm.update', vm.id, changes);
    });
    if (isDone && saved) {
      form.reset(valuesOf(saved));
      notify('success', settings.saved((saved as Vm).name));
    }
  };
  const off = { form, isDisabled: !mayWrite };
  const locked = { form, isDisabled: !mayWrite || isActive };
  const times = optionsOf(settings.timeChoices);
  return (
    <Form className="vs-form" onSubmit={(event) => (event.preventDefault(), void save())}>
      {isActive && <Alert component="p" isInline isPlain variant="info" title={`${text.devices.running} ${settings.locked}`} />}
      {form.error && <Alert component="p" isInline variant="danger" title={form.error} />}
      <FormSection title={settings.general} titleElement="h2">
        <TextField {...locked} name="name" label={settings.name} help={settings.nameHelp} isRequired />
        <TextField {...off} name="description" label={settings.description} />
        <SwitchField {...off} name="autostart" label={settings.autostart} />
      </FormSection>
      <FormSection title={settings.compute} titleElement="h2">
        <SizeField {...off} name="memory" label={settings.memory} scale={MIB} isRequired />
        <NumberField {...off} name="vcpus" label={settings.vcpus} min={1} />
        <NumberField {...off} name="cores" label={settings.cores} min={1} />
        <NumberField {...off} name="threads" label={settings.threads} min={1} />
      </FormSection>
      <FormSection title={settings.firmwareSection} titleElement="h2">
        <SelectField {...locked} name="bootloader" label={settings.bootloader} options={optionsOf(loaders.data)} />
        <SwitchField {...locked} name="enable_secure_boot" label={settings.enable_secure_boot} />
        <SwitchField {...off} name="trusted_platform_module" label={settings.trusted_platform_module} />
        <SelectField {...off} name="time" label={settings.time} options={times} />
        <SwitchField {...off} name="hyperv_enlightenments" label={settings.hyperv_enlightenments} help={settings.hypervHelp} />
        <NumberField {...off} name="shutdown_timeout" label={settings.shutdown_timeout} min={5} />
      </FormSection>
      <ExpandableSection toggleText={settings.advanced}>
        <FormSection>
          <SelectField {...off} name="cpu_mode" label={settings.cpu_mode} options={optionsOf(settings.cpuModes)} />
          {form.values.cpu_mode === 'CUSTOM' && (
            <SelectField {...off} name="cpu_model" label={settings.cpu_model} options={optionsOf(models.data)} nothing={text.fields.automatic} />
          )}
          <SizeField {...off} name="min_memory" label={settings.min_memory} help={settings.minHelp} scale={MIB} />
          <TextField {...off} name="cpuset" label={settings.cpuset} help={settings.cpusetHelp} />
          <SwitchField {...off} name="pin_vcpus" label={settings.pin_vcpus} />
          <TextField {...off} name="nodeset" label={settings.nodeset} help={settings.cpusetHelp} />
          <SelectField {...off} name="hugepages" label={settings.hugepages} help={settings.hugepagesHelp} options={optionsOf(settings.pageSizes)} nothing={settings.ordinaryMemory} />
          <SwitchField {...off} name="ensure_display_device" label={settings.ensure_display_device} />
          <SwitchField {...off} name="hide_from_msr" label={settings.hide_from_msr} />
          <SwitchField {...off} name="suspend_on_snapshot" label={settings.suspend_on_snapshot} />
          <TextField form={form} isDisabled={!mayWrite || !mayArguments} name="command_line_args" label={settings.command_line_args} />
        </FormSection>
      </ExpandableSection>
      {mayWrite && (
        <ActionGroup>
          <Button type="submit" isLoading={form.isBusy} isDisabled={form.isBusy || !form.isChanged}>
            {text.common.save}
          </Button>
          <Button variant="link" isDisabled={!form.isChanged} onClick={() => form.reset(valuesOf(vm))}>
            {text.common.cancel}
          </Button>
        </ActionGroup>
      )}
    </Form>
  );
}
