import { Alert, Form, FormGroup, FormHelperText, HelperText, HelperTextItem, Modal, ModalBody, ModalHeader, TextInput } from '@patternfly/react-core';
import { type FormEvent, useState } from 'react';
import { connection } from '../api/connection';
import { CallFailed, explain } from '../api/errors';
import type { Vm } from '../api/types';
import { notify } from '../store/notices';
import { FormFooter } from './FormFooter';
import { text } from '../text';

export function CloneDialog({ vm, onClose }: { vm: Vm; onClose(): void }) {
  const [name, setName] = useState(`${vm.name}_copy`);
  const [error, setError] = useState<unknown>(null);
  const [isBusy, setBusy] = useState(false);
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    try {
      await connection.call('vm.clone', vm.id, name);
      notify('success', text.clone.done(vm.name));
      onClose();
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  const ofName = error instanceof CallFailed ? error.fields.get('name') : undefined;
  return (
    <Modal isOpen variant="small" onClose={onClose} aria-labelledby="clone-title">
      <ModalHeader title={text.clone.title(vm.name)} description={text.clone.help} labelId="clone-title" />
      <ModalBody>
        <Form id="clone-form" onSubmit={(event) => void submit(event)}>
          {error !== null && !ofName && <Alert component="p" variant="danger" isInline title={explain(error)} />}
          <FormGroup label={text.clone.name} fieldId="clone-name" isRequired>
            <TextInput id="clone-name" value={name} autoFocus validated={ofName ? 'error' : 'default'} onChange={(_, value) => setName(value)} />
            {ofName && (
              <FormHelperText>
                <HelperText>
                  <HelperTextItem variant="error">{ofName}</HelperTextItem>
                </HelperText>
              </FormHelperText>
            )}
          </FormGroup>
        </Form>
      </ModalBody>
      <FormFooter form="clone-form" label={text.clone.confirm} isBusy={isBusy} isReady={Boolean(name)} onClose={onClose} />
    </Modal>
  );
}
