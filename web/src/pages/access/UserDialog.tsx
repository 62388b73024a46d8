import { Alert, Form, Modal, ModalBody, ModalHeader } from '@patternfly/react-core';
import { connection } from '../../api/connection';
import { optionsOf, SelectField, SwitchField, TextField } from '../../forms/fields';
import { useForm } from '../../forms/useForm';
import { FormFooter } from '../../parts/FormFooter';
import { text } from '../../text';

const { access } = text;

interface Known {
  id: number;
  username: string;
  full_name?: string;
  locked?: boolean;
  granted_roles?: string[];
}

/** What the choices stand for; whoever has something else keeps it. */
const ROLES: Record<string, string[]> = {
  FULL_ADMIN: ['FULL_ADMIN'],
  VM_ADMIN: [
    'VM_DEVICE_WRITE',
    'FILESYSTEM_DATA_WRITE',
    'POOL_READ',
    'DATASET_WRITE',
    'DATASET_DELETE',
    'SNAPSHOT_WRITE',
    'SNAPSHOT_DELETE',
  ],
  READONLY_ADMIN: ['READONLY_ADMIN'],
};

/** The choice that these roles are, or `OTHER`. */
export const roleOf = (roles: readonly string[]): string =>
  Object.entries(ROLES).find(([, all]) => all.length === roles.length && all.every((role) => roles.includes(role)))?.[0] ?? 'OTHER';

/** Make a user, or change one. */
export function UserDialog({ user, onClose, onDone }: { user: Known | null; onClose(): void; onDone(): void }) {
  const form = useForm({
    username: user?.username ?? '',
    full_name: user?.full_name ?? '',
    role: user ? roleOf(user.granted_roles ?? []) : 'VM_ADMIN',
    password: '',
    locked: user?.locked ?? false,
  });
  const save = async (): Promise<void> => {
    const { role, password, ...values } = form.values;
    const { username, ...rest } = values;
    const granted = ROLES[String(role)];
    const roles = granted ? { granted_roles: granted } : {};
    const secret = password ? { password } : {};
    const isDone = await form.attempt(() =>
      user
        ? connection.call('user.update', user.id, { ...rest, ...secret, ...roles })
        : connection.call('user.create', { username, ...rest, ...secret, ...roles }),
    );
    if (isDone) onDone();
  };
  return (
    <Modal isOpen variant="small" onClose={onClose} aria-labelledby="user-title">
      <ModalHeader title={user ? user.username : access.addUser} labelId="user-title" />
      <ModalBody>
        <Form id="user-form" onSubmit={(event) => (event.preventDefault(), void save())}>
          {form.error && <Alert component="p" isInline variant="danger" title={form.error} />}
          <TextField form={form} name="username" label={access.username} isRequired isDisabled={user !== null} />
          <TextField form={form} name="full_name" label={access.fullName} />
          <SelectField form={form} name="role" label={access.role} options={optionsOf(access.roles)} />
          <TextField form={form} name="password" label={user ? access.newPassword : access.password} type="password" isRequired={!user} />
          {user && <SwitchField form={form} name="locked" label={access.locked} />}
        </Form>
      </ModalBody>
      <FormFooter form="user-form" label={user ? text.common.save : text.common.add} isBusy={form.isBusy} isReady={Boolean(form.values.username)} onClose={onClose} />
    </Modal>
  );
}
