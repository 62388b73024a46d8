/** Form fields that know their label, their help and what is wrong with them. */
import {
  FormGroup,
  FormHelperText,
  FormSelect,
  FormSelectOption,
  HelperText,
  HelperTextItem,
  Switch,
  TextInput,
} from '@patternfly/react-core';
import { type ReactNode, useId, useState } from 'react';
import { text } from '../text';
import type { Form } from './useForm';

interface Common {
  form: Form;
  name: string;
  label: string;
  help?: ReactNode;
  isDisabled?: boolean;
  isRequired?: boolean;
}

export function Row({
  id,
  label,
  help,
  error,
  isRequired,
  children,
}: {
  id: string;
  label: string;
  help?: ReactNode;
  error?: string | undefined;
  isRequired?: boolean;
  children: ReactNode;
}) {
  return (
    <FormGroup label={label} fieldId={id} isRequired={isRequired}>
      {children}
      {(error ?? help) && (
        <FormHelperText>
          <HelperText id={`${id}-help`} isLiveRegion={error !== undefined}>
            <HelperTextItem variant={error ? 'error' : 'default'}>{error ?? help}</HelperTextItem>
          </HelperText>
        </FormHelperText>
      )}
    </FormGroup>
  );
}

export function TextField({ form, name, label, help, isDisabled, isRequired, type = 'text', placeholder, extra }: Common & {
  type?: 'text' | 'password';
  placeholder?: string;
  extra?: ReactNode;
}) {
  const id = useId();
  const error = form.errorOf(name);
  const input = (
    <TextInput
      id={id}
      name={name}
      type={type}
      placeholder={placeholder}
      autoComplete={type === 'password' ? 'new-password' : 'off'}
      spellCheck={false}
      isDisabled={isDisabled}
      value={String(form.values[name] ?? '')}
      validated={error ? 'error' : 'default'}
      aria-describedby={`${id}-help`}
      onChange={(_, value) => form.set(name, value)}
    />
  );
  return (
    <Row id={id} label={label} help={help} error={error} isRequired={isRequired}>
      {extra ? (
        <div className="vs-size">
          {input}
          {extra}
        </div>
      ) : (
        input
      )}
    </Row>
  );
}

/** A whole number, or null where the field is empty. */
export function NumberField({ form, name, label, help, isDisabled, isRequired, min }: Common & { min?: number }) {
  const id = useId();
  const error = form.errorOf(name);
  const value = form.values[name];
  return (
    <Row id={id} label={label} help={help} error={error} isRequired={isRequired}>
      <TextInput
        id={id}
        name={name}
        type="number"
        min={min}
        isDisabled={isDisabled}
        value={value === null || value === undefined ? '' : String(value)}
        validated={error ? 'error' : 'default'}
        aria-describedby={`${id}-help`}
        onChange={(_, given) => form.set(name, given === '' ? null : Number(given))}
      />
    </Row>
  );
}

const UNITS = { MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };
type Unit = keyof typeof UNITS;

const unitOf = (bytes: number): Unit => (bytes >= UNITS.TiB && bytes % UNITS.TiB === 0 ? 'TiB' : bytes % UNITS.GiB === 0 ? 'GiB' : 'MiB');

/** A size: the value is bytes, or as many of `scale` bytes. */
export function SizeField({ form, name, label, help, isDisabled, isRequired, scale = 1 }: Common & { scale?: number }) {
  const id = useId();
  const error = form.errorOf(name);
  const value = form.values[name];
  const bytes = typeof value === 'number' ? value * scale : null;
  const [unit, setUnit] = useState<Unit>(bytes === null ? 'GiB' : unitOf(bytes));
  const [shown, setShown] = useState(bytes === null ? '' : String(bytes / UNITS[unit]));
  const [known, setKnown] = useState(bytes);
  if (known !== bytes) {
    // It was set from elsewhere, such as by a preset.
    setKnown(bytes);
    if (bytes !== null && Number(shown) * UNITS[unit] !== bytes) {
      setUnit(unitOf(bytes));
      setShown(String(bytes / UNITS[unitOf(bytes)]));
    }
  }
  const change = (number: string, chosen: Unit): void => {
    setShown(number);
    setUnit(chosen);
    form.set(name, number === '' ? null : Math.round((Number(number) * UNITS[chosen]) / scale));
  };
  return (
    <Row id={id} label={label} help={help} error={error} isRequired={isRequired}>
      <div className="vs-size">
        <TextInput
          id={id}
          name={name}
          type="number"
          min={0}
          step="any"
          isDisabled={isDisabled}
          value={shown}
          validated={error ? 'error' : 'default'}
          aria-describedby={`${id}-help`}
          onChange={(_, number) => change(number, unit)}
        />
        <FormSelect aria-label={`${label}: ${text.fields.bytes}`} value={unit} isDisabled={isDisabled} onChange={(_, chosen) => change(shown, chosen as Unit)}>
          {Object.keys(UNITS).map((each) => (
            <FormSelectOption key={each} value={each} label={each} />
          ))}
        </FormSelect>
      </div>
    </Row>
  );
}

export interface Option {
  value: string;
  label: string;
  isDisabled?: boolean;
}

/** One of several; `nothing` is the label of null. */
export function SelectField({ form, name, label, help, isDisabled, isRequired, options, nothing, isNumber = false }: Common & {
  options: readonly Option[];
  nothing?: string;
  isNumber?: boolean;
}) {
  const id = useId();
  const error = form.errorOf(name);
  const value = form.values[name];
  const current = value === null || value === undefined ? '' : String(value);
  const isKnown = current === '' || options.some((option) => option.value === current);
  return (
    <Row id={id} label={label} help={help} error={error} isRequired={isRequired}>
      <FormSelect
        id={id}
        name={name}
        isDisabled={isDisabled}
        value={current}
        validated={error ? 'error' : 'default'}
        aria-describedby={`${id}-help`}
        onChange={(_, chosen) => form.set(name, chosen === '' ? null : isNumber ? Number(chosen) : chosen)}
      >
        {nothing !== undefined && <FormSelectOption value="" label={nothing} />}
        {!isKnown && <FormSelectOption value={current} label={current} />}
        {options.map((option) => (
          <FormSelectOption key={option.value} value={option.value} label={option.label} isDisabled={option.isDisabled} />
        ))}
      </FormSelect>
    </Row>
  );
}

export function SwitchField({ form, name, label, help, isDisabled }: Common) {
  const id = useId();
  const error = form.errorOf(name);
  return (
    <FormGroup>
      <Switch
        id={id}
        name={name}
        label={label}
        isDisabled={isDisabled}
        isChecked={form.values[name] === true}
        onChange={(_, value) => form.set(name, value)}
      />
      {(error ?? help) && (
        <FormHelperText>
          <HelperText>
            <HelperTextItem variant={error ? 'error' : 'default'}>{error ?? help}</HelperTextItem>
          </HelperText>
        </FormHelperText>
      )}
    </FormGroup>
  );
}

/** The choices that a method gave, as options. */
export const optionsOf = (choices: Record<string, string> | undefined): Option[] =>
  Object.entries(choices ?? {}).map(([value, label]) => ({ value, label }));
