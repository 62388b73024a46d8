/** The pages of the wizard. */
import { Checkbox, DescriptionList, DescriptionListDescription, DescriptionListGroup, DescriptionListTerm, ExpandableSection, FormGroup, Radio } from '@patternfly/react-core';
import type { Pool } from '../../api/types';
import { NumberField, optionsOf, SelectField, SizeField, SwitchField, TextField } from '../../forms/fields';
import { PathField } from '../../forms/FilePicker';
import type { Form } from '../../forms/useForm';
import { bytes, mebibytes } from '../../parts/format';
import { useCall } from '../../parts/useCall';
import { text } from '../../text';
import { type Answers, asCommand, plan, type Preset, PRESETS, type Source } from './plan';

const { create, settings } = text;
const MIB = 2 ** 20;
const ISOS = ['.iso', '.img'];
const IMAGES = ['.qcow2', '.qed', '.raw', '.img', '.vdi', '.vhdx', '.vmdk'];

export function GuestStep({ form, isTaken, isWrong }: { form: Form; isTaken: boolean; isWrong: boolean }) {
  const choose = (preset: Preset): void => {
    const { cores, memory, disk } = PRESETS[preset];
    form.set('preset', preset);
    form.set('cores', cores);
    form.set('memory', memory);
    form.set('disk', disk);
  };
  const named: Form = {
    ...form,
    errorOf: (name) => (isTaken ? create.taken : isWrong ? settings.nameHelp : form.errorOf(name)),
  };
  return (
    <>
      <TextField form={named} name="name" label={settings.name} help={settings.nameHelp} isRequired />
      <FormGroup role="radiogroup" label={create.os} fieldId="preset" isStack>
        {(Object.keys(PRESETS) as Preset[]).map((preset) => (
          <Radio
            key={preset}
            id={`preset-${preset}`}
            name="preset"
            label={create.presets[preset]}
            description={create.presetHelp[preset]}
            isChecked={form.values.preset === preset}
            onChange={() => choose(preset)}
          />
        ))}
      </FormGroup>
      <FormGroup role="radiogroup" label={create.source} fieldId="source" isStack>
        {(Object.keys(create.sources) as Source[]).map((source) => (
          <Radio
            key={source}
            id={`source-${source}`}
            name="source"
            label={create.sources[source]}
            description={create.sourceHelp[source]}
            isChecked={form.values.source === source}
            onChange={() => (form.set('source', source), form.set('path', ''))}
          />
        ))}
      </FormGroup>
    </>
  );
}

export function MediaStep({ form, source, imageSize }: { form: Form; source: Source; imageSize: number | null }) {
  return source === 'image' ? (
    <>
      <PathField form={form} name="path" label={create.image} title={create.chooseImage} endings={IMAGES} isRequired />
      {imageSize !== null && <p>{create.imageSize(bytes(imageSize))}</p>}
    </>
  ) : (
    <PathField form={form} name="path" label={create.iso} title={create.chooseIso} endings={ISOS} isRequired />
  );
}

export function ComputeStep({ form, pools }: { form: Form; pools: readonly Pool[] }) {
  const options = pools.map(({ name, free }) => ({ value: name, label: `${name} (${create.free(bytes(free))})` }));
  return (
    <>
      <NumberField form={form} name="cores" label={settings.cores} min={1} isRequired />
      <NumberField form={form} name="vcpus" label={settings.vcpus} min={1} isRequired />
      <SizeField form={form} name="memory" label={settings.memory} scale={MIB} isRequired />
      <SizeField form={form} name="disk" label={create.disk} isRequired />
      <SelectField form={form} name="pool" label={create.diskPool} options={options} />
    </>
  );
}

export function NetworkStep({ form }: { form: Form }) {
  const cards = useCall<Record<string, string>>('vm.device.nic_attach_choices');
  const resolutions = useCall<Record<string, string>>('vm.resolution_choices');
  const displays = ['SPICE', 'VNC'].map((value) => ({ value, label: value }));
  return (
    <>
      <SelectField
        form={form}
        name="nic"
        label={text.fields.nic_attach}
        nothing={text.fields.automatic}
        options={[...optionsOf(cards.data), { value: 'none', label: text.overview.noNics }]}
      />
      <SelectField form={form} name="display" label={text.devices.kinds.DISPLAY} nothing={text.common.none} options={displays} />
      {form.values.display !== null && (
        <SelectField form={form} name="resolution" label={text.fields.resolution} options={optionsOf(resolutions.data)} />
      )}
      <TextField form={form} name="description" label={settings.description} />
      <SwitchField form={form} name="autostart" label={settings.autostart} />
    </>
  );
}

export function ReviewStep({ form, answers }: { form: Form; answers: Answers }) {
  const rows = [
    [settings.name, answers.name],
    [create.os, create.presets[answers.preset]],
    [create.source, answers.source === 'empty' ? create.sources.empty : answers.path],
    [text.overview.cpu, text.overview.processors(answers.vcpus, answers.cores, 1)],
    [settings.memory, mebibytes(answers.memory)],
    [create.disk, `${bytes(answers.disk)} (${answers.pool})`],
    [text.overview.network, answers.nic === 'none' ? text.overview.noNics : (answers.nic ?? text.fields.automatic)],
    [text.devices.kinds.DISPLAY, answers.display ?? text.common.none],
  ];
  return (
    <>
      <DescriptionList isHorizontal isCompact>
        {rows.map(([name, value]) => (
          <DescriptionListGroup key={name}>
            <DescriptionListTerm>{name}</DescriptionListTerm>
            <DescriptionListDescription className="vs-break">{value}</DescriptionListDescription>
          </DescriptionListGroup>
        ))}
      </DescriptionList>
      <Checkbox id="start" label={create.start} isChecked={answers.start} onChange={(_, value) => form.set('start', value)} />
      <ExpandableSection toggleText={create.api}>
        <p className="vs-subtle">{create.apiHelp}</p>
        <pre className="vs-log" tabIndex={0} aria-label={create.api}>
          {plan(answers).map(asCommand).join('\n')}
        </pre>
      </ExpandableSection>
    </>
  );
}
