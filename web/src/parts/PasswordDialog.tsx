import {
  Alert,
  Form,
  FormGroup,
  Modal,
  ModalBody,
  ModalHeader,
  TextInput,
} from '@patternfly/react-core';
import { useState } from 'react';
import { connection } from '../api/connection';
import { CallFailed, explain } from '../api/errors';
import { notify } from '../store/notices';
import { FormFooter } from './FormFooter';
import { text } from '../text';

/** Change one's own password. */
export function PasswordDialog({ username, onClose }: { username: string; onClose(): void }) {
  const [old, setOld] = useState('');
  const [password, setPassword] = useState('');
  const [error, setError] = useState<string | null>(null);
  const save = async (): Promise<void> => {
    try {
      await connection.call('user.set_password', { username, old_password: old, new_password: password });
      notify('success', text.common.saved);
      onClose();
    } catch (failure) {
      const isUnknown = failure instanceof CallFailed && failure.isUnknownMethod;
      setError(isUnknown ? text.common.unavailable : explain(failure));
    }
  };
  return (
    <Modal isOpen variant="small" onClose={onClose} aria-labelledby="password-title">
      <ModalHeader title={text.user.password} labelId="password-title" />
      <ModalBody>
        <Form id="password-form" onSubmit={(event) => (event.preventDefault(), void save())}>
          {error && <Alert component="p" variant="danger" isInline title={error} />}
          <FormGroup label={text.access.oldPassword} fieldId="old-password" isRequired>
            <TextInput id="old-password" type="password" autoComplete="current-password" value={old} onChange={(_, value) => setOld(value)} />
          </FormGroup>
          <FormGroup label={text.access.newPassword} fieldId="new-password" isRequired>
            <TextInput id="new-password" type="password" autoComplete="new-password" value={password} onChange={(_, value) => setPassword(value)} />
          </FormGroup>
        </Form>
      </ModalBody>
      <FormFooter form="password-form" label={text.common.save} isReady={Boolean(old && password)} onClose={onClose} />
    </Modal>
  );
}
