import { Alert, Button, ClipboardCopy, Form, Modal, ModalBody, ModalFooter, ModalHeader } from '@patternfly/react-core';
import { useState } from 'react';
import { connection } from '../../api/connection';
import { TextField } from '../../forms/fields';
import { useForm } from '../../forms/useForm';
import { useConnection } from '../../parts/useConnection';
import { text } from '../../text';

const { access } = text;

/** Make an API key, and show it once. */
export function KeyDialog({ onClose }: { onClose(): void }) {
  const { user } = useConnection();
  const form = useForm({ name: '', username: user?.pw_name ?? '' });
  const [key, setKey] = useState<string | null>(null);
  const make = (): Promise<boolean> =>
    form.attempt(async () => setKey((await connection.call<{ key: string }>('api_key.create', form.values)).key));
  return (
    <Modal isOpen variant="small" onClose={onClose} aria-labelledby="key-title">
      <ModalHeader title={access.addKey} labelId="key-title" />
      <ModalBody>
        {key ? (
          <>
            <Alert component="p" isInline variant="info" title={access.keyShown} />
            <ClipboardCopy className="vs-gap" isReadOnly hoverTip={text.common.copy} clickTip={text.common.copied} textAriaLabel={access.newKey}>
              {key}
            </ClipboardCopy>
          </>
        ) : (
          <Form id="key-form" onSubmit={(event) => (event.preventDefault(), void make())}>
            {form.error && <Alert component="p" isInline variant="danger" title={form.error} />}
            <TextField form={form} name="name" label={access.keyName} isRequired />
            <TextField form={form} name="username" label={access.keyOf} isRequired />
          </Form>
        )}
      </ModalBody>
      <ModalFooter>
        {!key && (
          <Button type="submit" form="key-form" isLoading={form.isBusy} isDisabled={form.isBusy || !form.values.name}>
            {access.addKey}
          </Button>
        )}
        <Button variant={key ? 'primary' : 'link'} onClick={onClose}>
          {key ? text.common.close : text.common.cancel}
        </Button>
      </ModalFooter>
    </Modal>
  );
}
